"""A trained network with weights set to zero: right after, and after one more epoch of training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb.config.sparsity import Prune
from spatialnb.priors import parametrization
from spatialnb.training.sparse_optimizers import Masked, count, keep

Further = Callable[[nn.Module, Masked], None]
"""Train a network for one more epoch with this optimiser."""


def outcome(
    prune: Prune,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    strengths: Sequence[Tensor],
    *,
    further: Further,
    accuracy: Callable[[nn.Module], float],
    generator: torch.Generator,
) -> dict[str, Any]:
    """Accuracies in [0, 1] of copies of a network with zeros, for every criterion and level.

    Every copy takes the optimiser's averages with it, is trained further on the same batches, and
    keeps its zeros while it is.

    Parameters
    ----------
    prune : criteria and levels.
    model, optimizer : as the training left them; neither is changed.
    strengths : (out, in) of each linear layer in the last epoch.
    further, accuracy : what one more epoch is, and how a network is measured.
    generator : of the criterion ``random``.

    Returns
    -------
    ``tuned_accuracy`` of the network without zeros, and ``levels``: ``by``, ``level`` as asked for,
    ``zeros`` counted in the effective weights at the end, ``accuracy``, ``tuned_accuracy``.
    """

    def measured(kept: Sequence[Tensor]) -> dict[str, float]:
        network, copied = copy.deepcopy((model, optimizer))
        weights = [parametrization.learned_weight(layer) for layer in _layers(network)]
        held = Masked(copied, weights, kept)
        before = accuracy(network)
        further(network, held)
        return {
            "zeros": zeros(network),
            "accuracy": before,
            "tuned_accuracy": accuracy(network),
        }

    dense = measured([torch.ones_like(strength, dtype=torch.bool) for strength in strengths])
    levels = [
        {"by": by, "level": level, **measured([keep(s, count(s.shape, level)) for s in scores])}
        for by in prune.by
        for scores in [_scores(by, model, strengths, generator)]
        for level in prune.zeros
    ]
    return {"tuned_accuracy": dense["tuned_accuracy"], "levels": levels}


@torch.no_grad()
def zeros(model: nn.Module) -> float:
    """Share of the effective weights of a model's linear layers that are zero."""
    weights = [layer.weight for layer in _layers(model)]
    return sum(int((w == 0.0).sum()) for w in weights) / sum(w.numel() for w in weights)


@torch.no_grad()
def _scores(
    by: str, model: nn.Module, strengths: Sequence[Tensor], generator: torch.Generator
) -> list[Tensor]:
    """What is kept has the largest: one tensor (out, in) a layer."""
    if by == "kernel":
        return list(strengths)
    if by == "magnitude":
        return [layer.weight.abs() for layer in _layers(model)]
    return [torch.rand(strength.shape, generator=generator) for strength in strengths]


def _layers(model: nn.Module) -> list[nn.Linear]:
    return [part for part in model.modules() if isinstance(part, nn.Linear)]
