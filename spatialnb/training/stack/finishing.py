"""What is measured of a trained network, for a run of a stack as for one of the loop."""

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
    """Whether anything is measured of the run's network once it is trained."""
    return any(getattr(run, name) is not None for name in ("sparse", *FINISHING))


@torch.no_grad()
def finish(run: Run, data: Dataset, learned: Mapping[str, Tensor], outcome: dict[str, Any]) -> None:
    """Add to an outcome what the run's interventions measure of its trained network.

    Parameters
    ----------
    run : the configuration.
    data : its data, on the device of the weights.
    learned : the weights and biases by their names in the network without its prior.
    outcome : of a run that finished.
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
