"""Hidden neurons that never fire: how many of a layer give nothing for any sample."""

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
    """Measures the share of dead units of each hidden layer after every epoch."""

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
    r"""Share of dead neurons in [0, 1], of each hidden layer, first to last.

    A neuron is dead where $x V^\top + b \le 0$ for every sample. A ReLU then gives 0 and passes no
    gradient on, so that no step revives the neuron but one of a layer below. Source: Lu et al.
    2020, who call a network dead.

    Parameters
    ----------
    model : linear layers with an activation between, as :func:`spatialnb.training.networks.mlp`
    makes it. inputs : batches (batch, features) of all samples that count.
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
