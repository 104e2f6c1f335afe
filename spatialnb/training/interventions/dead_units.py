"""Dead units: the fraction of each hidden layer's units that output zero for every sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.training.evaluation import chunks, parametrized_once


@dataclass(frozen=True, kw_only=True)
class DeadUnits(Intervention):
    """Measures the fraction of dead units in each hidden layer after every epoch."""

    @classmethod
    def asked_by(cls, run: Run) -> DeadUnits | None:
        return cls() if run.dead_neurons else None

    def measure(self) -> dict[str, float]:
        training = self.training
        with parametrized_once():
            shares = dead(training.model, chunks(training.data, training.measured[1]))
        return {f"dead:{layer}": share for layer, share in enumerate(shares, 1)}


@torch.no_grad()
def dead(model: nn.Module, inputs: Iterable[Tensor]) -> list[float]:
    r"""Fraction of dead units in [0, 1], in each hidden layer, first to last.

    A unit is dead if $x V^\top + b \le 0$ for every sample. Its ReLU then outputs 0 and passes no
    gradient, so that only a change in an earlier layer can revive the unit. Source: Lu et al. 2020,
    who define dead networks.

    Parameters
    ----------
    model : linear layers with activations between them, as from
        :func:`spatialnb.training.networks.mlp`.
    inputs : batches (batch, features) of all samples to consider.
    """
    fired: list[Tensor] = []
    for batch in inputs:
        x, layers = batch, []
        for part in list(model.children())[:-1]:
            x = part(x)
            if isinstance(part, nn.Linear):
                layers.append((x > 0.0).any(0))
        fired = layers if not fired else [a | b for a, b in zip(fired, layers, strict=True)]
    return [float((~layer).double().mean()) for layer in fired]
