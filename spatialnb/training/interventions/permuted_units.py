"""Hidden units of a trained network permuted, and measured. Log, "Expected effects"."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.priors import parametrization
from spatialnb.training.determinism import generator


@dataclass(frozen=True, kw_only=True)
class PermutedUnits(Intervention):
    """Measures the trained network with its hidden units in a random order, `times` times."""

    times: int

    @classmethod
    def asked_by(cls, run: Run) -> PermutedUnits | None:
        return None if run.permuted_units is None else cls(times=run.permuted_units)

    def finish(self, outcome: dict[str, Any]) -> None:
        training = self.training
        chance = generator(training.run.seed, "permuted units")
        found = []
        for _ in range(self.times):
            network = copy.deepcopy(training.model)
            permute_units(network, chance)
            found.append(training.accuracy(network))
        outcome["final"]["permuted_accuracy"] = sum(found) / len(found)


@torch.no_grad()
def permute_units(model: nn.Module, generator: torch.Generator) -> None:
    """Put the units of every hidden layer in a random order, in place.

    The learned weights into a unit, its bias and the learned weights out of it move together. The
    kernel stays where it is. Without a prior the network computes the same function as before.

    Parameters
    ----------
    model : a multilayer perceptron, with a prior or without.
    generator : of the permutations, one a hidden layer.
    """
    layers = [part for part in model.modules() if isinstance(part, nn.Linear)]
    for before, after in itertools.pairwise(layers):
        order = torch.randperm(before.out_features, generator=generator).to(before.bias.device)
        into = parametrization.learned_weight(before)
        out_of = parametrization.learned_weight(after)
        into.copy_(into[order])
        before.bias.copy_(before.bias[order])
        out_of.copy_(out_of[:, order])
