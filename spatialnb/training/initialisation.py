"""Initialisations of a multilayer perceptron other than Kaiming normal weights and zero biases."""

from __future__ import annotations

import math

import torch
from torch import nn

from spatialnb.config.run import Run


def torch_default(layer: nn.Linear, generator: torch.Generator, run: Run) -> None:
    r"""``nn.Linear`` default: weights and biases uniform in $\pm 1/\sqrt{\text{fan\_in}}$."""
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5.0), generator=generator)
    bound = 1.0 / math.sqrt(layer.in_features)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def normal(layer: nn.Linear, generator: torch.Generator, run: Run) -> None:
    """Normal weights with standard deviation ``run.initial_std`` in every layer; zero biases."""
    assert run.initial_std is not None
    nn.init.normal_(layer.weight, std=run.initial_std, generator=generator)
    nn.init.zeros_(layer.bias)
