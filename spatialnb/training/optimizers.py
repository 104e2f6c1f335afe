"""The optimisers; each updates all parameters of a network, including biases."""

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
"""Momentum of SGD, without Nesterov."""


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


def madam(parameters: Iterable[Tensor], run: Run) -> Optimizer:
    """Madam, with multiplicative updates: see :class:`Madam`."""
    return Madam(parameters, lr=run.learning_rate)


class Madam(Optimizer):
    r"""Multiplicative updates, $w \leftarrow w\, e^{-\eta\, \mathrm{sign}(w)\, \hat g}$.

    $\hat g$ is the gradient divided by the root of its running mean square, $\beta = 0.999$,
    clipped to $\pm 10$; $|w|$ is clipped to three times the layer's initial root mean square. No
    weight changes sign. Biases start at 0 and would stay there, so they use
    $b \leftarrow b - \eta \hat g$.

    Source: Bernstein et al. 2020, learning compositional functions via multiplicative weight
    updates.
    """

    BETA, BOUND, LARGEST = 0.999, 10.0, 3.0

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; the gradients are not changed."""
        for group in self.param_groups:
            for weight in group["params"]:
                self._update(weight, group["lr"])

    def _update(self, weight: Tensor, rate: float) -> None:
        state, gradient = self.state[weight], weight.grad
        if gradient is None:
            return
        if not state:
            state["steps"], state["square"] = 0, torch.zeros_like(weight)
            state["largest"] = self.LARGEST * float(weight.square().mean().sqrt())
        state["steps"] += 1
        state["square"].mul_(self.BETA).addcmul_(gradient, gradient, value=1.0 - self.BETA)
        size = (state["square"] / (1.0 - self.BETA ** state["steps"])).sqrt()
        unit = torch.where(size > 0.0, gradient / size, 0.0).clamp_(-self.BOUND, self.BOUND)
        if weight.dim() < 2:
            weight.sub_(unit, alpha=rate)
        else:
            weight.mul_(torch.exp(-rate * unit * weight.sign()))
            weight.clamp_(-state["largest"], state["largest"])


def make(run: Run, model: nn.Module) -> Optimizer:
    """The optimiser of a run, for all parameters of its network."""
    return optimizers.get(run.optimizer)(model.parameters(), run)


def schedule(run: Run, optimizer: Optimizer, steps: int) -> LambdaLR | None:
    """The scheduler of the learning rate, for weights and biases; None if it is constant.

    Parameters
    ----------
    run : names the decay, which reaches zero one step after the last; it restarts in each round if
        the run prunes in rounds.
    steps : number of steps in the whole training.
    """
    if run.learning_rate_decay is None:
        return None
    factor = lr_schedules.decays.get(run.learning_rate_decay)
    rounds = run.sparse.rounds if run.sparse else None
    if rounds is None:
        return LambdaLR(optimizer, lambda step: factor(step / steps))
    period = steps // rounds
    return LambdaLR(optimizer, lambda step: factor(step % period / period))
