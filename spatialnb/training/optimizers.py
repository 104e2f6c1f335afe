"""The optimisers, each of all parameters of a network, biases too."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from spatialnb.config import lr_schedules
from spatialnb.config.components import optimizers
from spatialnb.config.run import Run

MOMENTUM = 0.9
"""Of SGD, which is without Nesterov's."""


def adam(parameters: Iterable[Tensor], run: Run) -> Optimizer:
    r"""Adam with torch's $\beta = (0.9, 0.999)$ and $\varepsilon = 10^{-8}$. Kingma and Ba 2015."""
    return torch.optim.Adam(parameters, lr=run.learning_rate, fused=True)


def sgd(parameters: Iterable[Tensor], run: Run) -> Optimizer:
    """SGD with momentum 0.9."""
    return torch.optim.SGD(parameters, lr=run.learning_rate, momentum=MOMENTUM, fused=True)


def adamw(parameters: Iterable[Tensor], run: Run) -> Optimizer:
    """Adam with decoupled weight decay. Loshchilov and Hutter 2019."""
    decay = run.weight_decay or 0.0
    return torch.optim.AdamW(parameters, lr=run.learning_rate, weight_decay=decay, fused=True)


def make(run: Run, model: nn.Module) -> Optimizer:
    """The optimiser of a run, of all parameters of its network."""
    return optimizers.get(run.optimizer)(model.parameters(), run)


def schedule(run: Run, optimizer: Optimizer, steps: int) -> LambdaLR | None:
    """What sets the learning rate of every step, the biases' too; None where it is constant.

    Parameters
    ----------
    run : says how it falls, to zero at the step after the last one.
    steps : of the whole training.
    """
    if run.learning_rate_decay is None:
        return None
    factor = lr_schedules.decays.get(run.learning_rate_decay)
    return LambdaLR(optimizer, lambda step: factor(step / steps))
