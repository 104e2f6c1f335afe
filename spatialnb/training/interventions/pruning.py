"""Prune a trained network; evaluate it right away and after one more epoch of training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Prune
from spatialnb.priors import parametrization
from spatialnb.training import backprop, networks
from spatialnb.training.context import Training
from spatialnb.training.determinism import generator
from spatialnb.training.evaluation import batches
from spatialnb.training.sparse_optimizers import Masked, largest, weights_left

Tune = Callable[[nn.Module, Masked], None]
"""Train a network for one more epoch with this optimiser."""


@dataclass(frozen=True, kw_only=True)
class Pruning(Intervention):
    """Evaluates pruned copies of the trained network, at every level of the run."""

    prune: Prune

    @classmethod
    def asked_by(cls, run: Run) -> Pruning | None:
        return None if run.prune is None else cls(prune=run.prune)

    def finish(self, outcome: dict[str, Any]) -> None:
        training = self.training
        kernel = training.run.schedule.at(1.0)
        outcome["pruned"] = pruned(
            self.prune,
            training.model,
            training.optimizer,
            [kernel.strength(distance) for distance in training.distances],
            tune=_one_more_epoch(training),
            accuracy=training.accuracy,
            generator=generator(training.run.seed, "mask"),
        )


def _one_more_epoch(training: Training) -> Tune:
    """One more epoch at the run's learning rate, with the same batch order for every network."""
    order = training.shuffled()

    def train_on(network: nn.Module, held: Masked) -> None:
        gradients = backprop.loss_and_gradients(network)
        for index in batches(order, training.run.batch_size):
            split = training.data.train
            gradients(training.data.inputs(split, index), split.y[index])
            held.step()

    return train_on


def pruned(
    prune: Prune,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    strengths: Sequence[Tensor],
    *,
    tune: Tune,
    accuracy: Callable[[nn.Module], float],
    generator: torch.Generator,
) -> dict[str, Any]:
    """Accuracies in [0, 1] of pruned copies of a network, for every criterion and level.

    Every copy starts with the optimiser's averages, is fine-tuned on the same batches, and keeps
    its zeros.

    Parameters
    ----------
    prune : criteria and levels.
    model, optimizer : as they are after training; neither is changed.
    strengths : kernel values (out, in) of each linear layer in the last epoch.
    tune, accuracy : functions that train one more epoch, and that evaluate a network.
    generator : for the criterion ``random``.

    Returns
    -------
    ``tuned_accuracy`` of the unpruned network, and ``levels``, each with ``by``, ``level`` as
    requested, ``zeros`` counted in the final effective weights, ``accuracy`` and
    ``tuned_accuracy``.
    """

    def measured(kept: Sequence[Tensor]) -> dict[str, float]:
        network, copied = copy.deepcopy((model, optimizer))
        weights = [parametrization.learned_weight(layer) for layer in _layers(network)]
        held = Masked(copied, weights, kept)
        before = accuracy(network)
        tune(network, held)
        return {
            "zeros": networks.zeros(network),
            "accuracy": before,
            "tuned_accuracy": accuracy(network),
        }

    dense = measured([torch.ones_like(strength, dtype=torch.bool) for strength in strengths])
    levels = [
        {
            "by": by,
            "level": level,
            **measured([largest(s, weights_left(s.shape, level)) for s in scores]),
        }
        for by in prune.by
        for scores in [_scores(by, model, strengths, generator)]
        for level in prune.zeros
    ]
    return {"tuned_accuracy": dense["tuned_accuracy"], "levels": levels}


@torch.no_grad()
def _scores(
    by: str, model: nn.Module, strengths: Sequence[Tensor], generator: torch.Generator
) -> list[Tensor]:
    """Scores by which the largest weights are kept: one tensor (out, in) per layer."""
    if by == "kernel":
        return list(strengths)
    if by == "magnitude":
        return [layer.weight.abs() for layer in _layers(model)]
    return [torch.rand(strength.shape, generator=generator) for strength in strengths]


def _layers(model: nn.Module) -> list[nn.Linear]:
    return [part for part in model.modules() if isinstance(part, nn.Linear)]
