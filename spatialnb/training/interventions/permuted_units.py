"""Evaluate a trained network with its hidden units permuted. Log, "Expected effects"."""

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
    """Evaluates the trained network `times` times with its hidden units randomly permuted."""

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
    """Randomly permute the units of every hidden layer, in place.

    A unit's learned incoming weights, bias and learned outgoing weights move together. The kernel
    does not move. Without a prior, the network's function is unchanged.

    Parameters
    ----------
    model : a multilayer perceptron, with or without a prior.
    generator : source of the permutations, one per hidden layer.
    """
    layers = [part for part in model.modules() if isinstance(part, nn.Linear)]
    for before, after in itertools.pairwise(layers):
        order = torch.randperm(before.out_features, generator=generator).to(before.bias.device)
        into = parametrization.learned_weight(before)
        out_of = parametrization.learned_weight(after)
        into.copy_(into[order])
        before.bias.copy_(before.bias[order])
        out_of.copy_(out_of[:, order])
