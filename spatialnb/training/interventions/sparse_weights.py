"""Sparse training from the first step on, with a fixed mask or one that a method updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors import local_masks, parametrization
from spatialnb.training import networks, sparse_optimizers
from spatialnb.training.context import Training
from spatialnb.training.determinism import generator
from spatialnb.training.interventions import soft_threshold
from spatialnb.training.sparse_optimizers import Masked


@dataclass(frozen=True, kw_only=True)
class SparseWeights(Intervention):
    """Trains the weights of every linear layer, or of the first only, under a mask."""

    sparse: Sparse

    @classmethod
    def asked_by(cls, run: Run) -> SparseWeights | None:
        return None if run.sparse is None else cls(sparse=run.sparse)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        random = generator(run.seed, "mask")
        weights, masks = self._masks(model, run, shape, random)
        if self.sparse.method == "st3":
            layers = networks.linear_layers(model)[: len(weights)]
            soft_threshold.prepare([layer for _, layer in layers])
        else:
            kept = self._at_the_start(masks, random)
            sparse_optimizers.start(weights, kept, scale=self.sparse.fan_in is None)

    def begin(self, training: Training) -> Part:
        random = generator(training.run.seed, "mask")
        weights, masks = self._masks(training.model, training.run, training.data.shape, random)
        optimizer, steps = training.optimizer, training.steps
        left = [int(mask.sum()) for mask in masks]
        if self.sparse.method == "st3":
            return soft_threshold.RisingThreshold(training, left)
        masks = self._at_the_start(masks, random)
        if self.sparse.method == "set":
            epoch = training.steps_per_epoch
            held: Masked = sparse_optimizers.Set(
                optimizer, weights, masks, epoch=epoch, steps=steps, generator=random
            )
        elif self.sparse.method == "rigl":
            held = sparse_optimizers.Rigl(optimizer, weights, masks, steps=steps)
        elif self.sparse.method == "granet":
            held = sparse_optimizers.Granet(optimizer, weights, masks, left=left, steps=steps)
        elif self.sparse.rounds is not None:
            pruned = sparse_optimizers.Iterative(
                optimizer, weights, masks, left=left, rounds=self.sparse.rounds
            )
            return _InRounds(training, pruned, self.sparse)
        else:
            held = Masked(optimizer, weights, masks)
        return _Sparse(training.model, held)

    def _at_the_start(self, masks: Sequence[Tensor], random: torch.Generator) -> tuple[Tensor, ...]:
        """A method's initial masks, given masks with its final number of weights."""
        if self.sparse.method == "imp":
            return tuple(torch.ones_like(mask) for mask in masks)
        if self.sparse.method != "granet":
            return tuple(masks)
        return tuple(
            sparse_optimizers.largest(
                torch.rand(mask.shape, generator=random) + mask.cpu(),
                max(int(mask.sum()), mask.numel() // 2),
            ).to(mask.device)
            for mask in masks
        )

    def _masks(
        self, model: nn.Module, run: Run, shape: tuple[int, ...], random: torch.Generator
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """The sparse layers' learned weights, and the initial mask of each."""
        layers = networks.linear_layers(model)
        weights = [parametrization.learned_weight(layer) for _, layer in layers]
        if self.sparse.layers is None and self.sparse.places in ("random", "band"):
            return weights, sparse_optimizers.masks(weights, self.sparse, random)
        chosen = weights[:1] if self.sparse.layers == "first" else weights
        between = networks.distances(run, model, shape)
        return chosen, tuple(
            self._by_unit(place, weight, between[place], run, shape, random).to(weight.device)
            for place, weight in enumerate(chosen)
        )

    def _by_unit(
        self,
        place: int,
        weight: Tensor,
        distance: Tensor,
        run: Run,
        shape: tuple[int, ...],
        random: torch.Generator,
    ) -> Tensor:
        """The mask of the `place`-th layer, in which every unit keeps the same number of inputs."""
        sparse, out, inputs = self.sparse, *weight.shape
        if sparse.places == "window":
            return local_masks.window(shape, out, sparse.zeros, run.permuted_pixels)
        channels = shape[0] if place == 0 and len(shape) == 3 else 1
        kept = local_masks.kept_inputs(sparse.zeros, inputs, channels)
        if sparse.places == "random":
            return local_masks.random((out, inputs), kept, random)
        return local_masks.nearest(distance, kept, channels if run.positions == "plane" else 1)


def first_mask(run: Run, model: nn.Module, shape: Sequence[int]) -> Tensor:
    """The mask (out, in) of the first layer of a sparse run with a fixed mask."""
    if run.sparse is None:
        raise ValueError(f"run {run.id} has no mask")
    random = generator(run.seed, "mask")
    return SparseWeights(sparse=run.sparse)._masks(model, run, tuple(shape), random)[1][0]


class _InRounds(Part):
    """Iterative magnitude pruning, with rounds of several epochs."""

    def __init__(
        self, training: Training, held: sparse_optimizers.Iterative, sparse: Sparse
    ) -> None:
        self._model, self._held = training.model, held
        self._epochs, self._epoch = training.run.epochs // (sparse.rounds or 1), 0
        self._rewind = sparse.rewind

    def start_epoch(self, progress: float) -> None:
        if self._epoch == self._rewind:
            self._held.remember()
        if self._epoch % self._epochs == 0:
            self._held.begin(self._epoch // self._epochs)
        self._epoch += 1

    def before_step(self) -> bool:
        return self._held.before_step()

    def after_step(self) -> None:
        self._held.after_step()

    def measure(self) -> dict[str, float]:
        """The fraction of zeros with which this epoch's other quantities were measured."""
        return {"zeros": networks.zeros(self._model)}

    def finish(self, outcome: dict[str, Any]) -> None:
        outcome["final"]["zeros"] = networks.zeros(self._model)


class _Sparse(Part):
    def __init__(self, model: nn.Module, held: Masked) -> None:
        self._model, self._held = model, held

    def before_step(self) -> bool:
        return self._held.before_step()

    def after_step(self) -> None:
        self._held.after_step()

    def finish(self, outcome: dict[str, Any]) -> None:
        outcome["final"]["zeros"] = networks.zeros(self._model)
