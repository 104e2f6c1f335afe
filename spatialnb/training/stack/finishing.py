"""Measurements of a trained network at the end, for runs of a stack as for those of the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.priors import parametrization
from spatialnb.training import networks
from spatialnb.training.build import prepared
from spatialnb.training.interventions import table
from spatialnb.training.stack.sharing import FINISHING


def measures(run: Run) -> bool:
    """Whether the run has measurements of its trained network."""
    return any(getattr(run, name) is not None for name in ("sparse", *FINISHING))


@torch.no_grad()
def finish(run: Run, data: Dataset, learned: Mapping[str, Tensor], outcome: dict[str, Any]) -> None:
    """Add the final measurements of the run's interventions to its outcome.

    Parameters
    ----------
    run : the configuration.
    data : its data, on the device of the weights.
    learned : the weights and biases, by their names in the network without its prior.
    outcome : the outcome of a finished run.
    """
    training = prepared(run, data)
    for name, layer in networks.linear_layers(training.model):
        parametrization.learned_weight(layer).copy_(learned[f"{name}.weight"])
        layer.bias.copy_(learned[f"{name}.bias"])
    parts = [intervention.begin(training) for intervention in table.asked_by(run)]
    for part in parts:
        part.start_epoch(1.0)
    for part in parts:
        part.finish(outcome)
