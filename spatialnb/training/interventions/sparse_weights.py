"""Zeros from the first step on, at places that stay, or that SET or RigL move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors import parametrization
from spatialnb.training import networks, sparse_optimizers
from spatialnb.training.context import Training
from spatialnb.training.determinism import generator
from spatialnb.training.sparse_optimizers import Masked


@dataclass(frozen=True, kw_only=True)
class SparseWeights(Intervention):
    """The weights of every linear layer under a mask."""

    sparse: Sparse

    @classmethod
    def asked_by(cls, run: Run) -> SparseWeights | None:
        return None if run.sparse is None else cls(sparse=run.sparse)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        sparse_optimizers.start(*self._masks(model, generator(run.seed, "mask")))

    def begin(self, training: Training) -> Part:
        random = generator(training.run.seed, "mask")
        weights, masks = self._masks(training.model, random)
        optimizer, steps = training.optimizer, training.steps
        if self.sparse.method == "set":
            epoch = training.steps_per_epoch
            held: Masked = sparse_optimizers.Set(
                optimizer, weights, masks, epoch=epoch, steps=steps, generator=random
            )
        elif self.sparse.method == "rigl":
            held = sparse_optimizers.Rigl(optimizer, weights, masks, steps=steps)
        else:
            held = Masked(optimizer, weights, masks)
        return _Sparse(training.model, held)

    def _masks(
        self, model: nn.Module, random: torch.Generator
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """The learned weights of a network, and the mask of each at the start."""
        layers = networks.linear_layers(model)
        weights = [parametrization.learned_weight(layer) for _, layer in layers]
        return weights, sparse_optimizers.masks(weights, self.sparse, random)


class _Sparse(Part):
    def __init__(self, model: nn.Module, held: Masked) -> None:
        self._model, self._held = model, held

    def before_step(self) -> bool:
        return self._held.before_step()

    def after_step(self) -> None:
        self._held.after_step()

    def finish(self, outcome: dict[str, Any]) -> None:
        outcome["final"]["zeros"] = networks.zeros(self._model)
