r"""SGD with momentum over a stack of runs, with a learning rate for each.

The implementation ``compiled`` is one kernel that torch generates; any other uses plain operations.

Source: Sutskever et al. 2013, in torch's form and without Nesterov momentum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialnb.config.run import Run
from spatialnb.training.optimizers import MOMENTUM
from spatialnb.training.stack.adam import Slot, compiled, rate


class Momentum:
    """SGD with momentum for a stack.

    Parameters
    ----------
    slots : all parameters.
    runs : the runs, in the order of the stack.
    steps : number of steps per epoch.
    way : ``compiled``; any other of :data:`spatialnb.training.stack.adam.WAYS` means ``plain``.
    """

    def __init__(self, slots: Sequence[Slot], runs: Sequence[Run], steps: int, way: str) -> None:
        self.way = way if way == "compiled" else "plain"
        self._slots, self._runs, self._steps = slots, runs, steps
        self._averages = [torch.zeros_like(slot.weight) for slot in slots]
        self._rates = self.prepare(0).to(slots[0].weight.device)

    def prepare(self, epoch: int) -> Tensor:
        """Compute the learning rates of an epoch (steps, R), on the CPU."""
        first, total = epoch * self._steps, self._runs[0].epochs * self._steps
        every = range(first, first + self._steps)
        return torch.tensor([[rate(run, step / total) for run in self._runs] for step in every])

    def set(self, prepared: Tensor) -> None:
        """Copy the learning rates of an epoch to the device."""
        self._rates.copy_(prepared)

    def step(self, at: Tensor) -> None:
        """One step from the gradients; `at` (1,) int64 is its index within the epoch."""
        rates = self._rates.index_select(0, at)[0]
        update = compiled(update_in_place) if self.way == "compiled" else update_in_place
        for slot, average in zip(self._slots, self._averages, strict=True):
            update(
                slot.weight.flatten(1),
                slot.gradient.flatten(1),
                average.flatten(1),
                None if slot.strength is None else slot.strength.flatten(1),
                None if slot.effective is None else slot.effective.flatten(1),
                rates[:, None],
            )


def update_in_place(
    weight: Tensor,
    gradient: Tensor,
    average: Tensor,
    strength: Tensor | None,
    effective: Tensor | None,
    rate: Tensor,
) -> None:
    """One step of SGD on parameters (R, n), with learning rates (R, 1)."""
    if strength is not None:
        gradient = gradient * strength
    average.mul_(MOMENTUM).add_(gradient)
    weight.sub_(rate * average)
    if strength is not None and effective is not None:
        torch.mul(weight, strength, out=effective)
