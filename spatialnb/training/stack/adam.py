r"""Adam, or AdamW, over a stack of runs, with a learning rate and a weight decay for each.

There are three implementations, see :data:`WAYS`, which differ only in rounding. ``fused`` is
torch's fused kernel, as in the loop, called once for all runs with the same learning rate.
``compiled`` is one kernel that torch generates for all learning rates: it multiplies the gradient
by the kernel values, updates, and writes the next effective weight, so that every number is read
and written once. ``plain`` uses ordinary operations.

Source: Kingma and Ba 2015; Loshchilov and Hutter 2019.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spatialnb.config import lr_schedules
from spatialnb.config.run import Run

WAYS = ("fused", "compiled", "plain")
"""Implementations of a step."""
BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Adam's constants, as in the loop."""
RECOMPILED = 64
"""Limit on recompilations: a stack of one run, with or without a prior, or with TF32 products needs
a separate program."""
FUSED_ON = ("cpu", "cuda")
"""Devices that have torch's fused kernel."""

_fused: Any = torch.ops.aten._fused_adamw_.tensor_lr


@dataclass(kw_only=True, eq=False)
class Slot:
    """One parameter of all runs, with its gradient and kernel values.

    Parameters
    ----------
    weight : (R, ...), the learned parameter.
    gradient : of the same shape, with respect to the effective weight if there is one.
    strength, effective : the kernel values, and the weight times these; or both None.
    """

    weight: Tensor
    gradient: Tensor
    strength: Tensor | None = None
    effective: Tensor | None = None

    def refresh(self) -> None:
        """Compute the effective weight from the weight and the kernel values."""
        if self.strength is not None:
            torch.mul(self.weight, self.strength, out=self.effective)


def rate(run: Run, done: float) -> float:
    """The learning rate of a run after the fraction `done` of its training."""
    if run.learning_rate_decay is None:
        return run.learning_rate
    return run.learning_rate * lr_schedules.decays.get(run.learning_rate_decay)(done)


class Tables(NamedTuple):
    r"""Per-step constants of an epoch, one row per step.

    `rates` are learning rates $\eta_t$ of every run or group of runs, divided by $1 - \beta_1^t$
    (bias correction) for :func:`update_in_place`. `roots` are $\sqrt{1 - \beta_2^t}$, and `shrinks`
    are the factors of weight decay $\lambda$, $1 - \eta_t \lambda$.
    """

    rates: Tensor
    roots: Tensor
    shrinks: Tensor


class Adam:
    """Adam or AdamW for a stack.

    Parameters
    ----------
    slots : all parameters.
    runs : the runs, in the order of the stack.
    steps : number of steps per epoch.
    way : one of :data:`WAYS`.
    """

    def __init__(self, slots: Sequence[Slot], runs: Sequence[Run], steps: int, way: str) -> None:
        self.way = way
        self._slots, self._runs, self._steps = slots, runs, steps
        self._averages = [
            (torch.zeros_like(slot.weight), torch.zeros_like(slot.weight)) for slot in slots
        ]
        device = slots[0].weight.device
        self._on_cpu = device.type == "cpu"
        self._count = torch.zeros((), device=device)  # number of steps done, for torch's kernel
        self._groups = _groups(runs)
        self._decays = any(run.weight_decay for run in runs)
        self._tables = Tables(*(part.to(device) for part in self.prepare(0)))

    def prepare(self, epoch: int) -> Tables:
        """Compute the tables of an epoch, on the CPU."""
        first, total = epoch * self._steps, self._runs[0].epochs * self._steps
        every = range(first, first + self._steps)
        fused = self.way == "fused"
        runs = [group.run for group in self._groups] if fused else self._runs
        by_kind = {
            kind: [rate(run, step / total) for step in every]
            for kind, run in {_kind(run): run for run in runs}.items()
        }
        rates = torch.tensor([by_kind[_kind(run)] for run in runs], dtype=torch.float64)
        dtype = torch.float64 if fused and self._on_cpu else torch.float32  # for torch's kernel
        decays = torch.tensor([run.weight_decay or 0.0 for run in runs], dtype=torch.float64)
        first_corrections = torch.tensor([1.0 - BETAS[0] ** (step + 1) for step in every]).double()
        roots = torch.tensor([math.sqrt(1.0 - BETAS[1] ** (step + 1)) for step in every])
        shrinks = 1.0 - rates * decays[:, None]
        corrected = rates if fused else rates / first_corrections
        return Tables(corrected.T.to(dtype), roots, shrinks.T.float())

    def set(self, prepared: Tables) -> None:
        """Copy the tables of an epoch to the device."""
        for there, new in zip(self._tables, prepared, strict=True):
            there.copy_(new)

    def step(self, at: Tensor) -> None:
        """One step from the gradients; `at` (1,) int64 is its index within the epoch."""
        rates, root, shrinks = (table.index_select(0, at)[0] for table in self._tables)
        if self.way == "fused":
            self._step_fused(rates)
            return
        update = compiled(update_in_place) if self.way == "compiled" else update_in_place
        # A missing argument would trigger a recompilation, and multiplying by 1 is exact.
        shrink = shrinks[:, None] if self._decays or self.way == "compiled" else None
        for slot, (mean, square) in zip(self._slots, self._averages, strict=True):
            update(
                slot.weight.flatten(1),
                slot.gradient.flatten(1),
                mean.flatten(1),
                square.flatten(1),
                None if slot.strength is None else slot.strength.flatten(1),
                None if slot.effective is None else slot.effective.flatten(1),
                rates[:, None],
                root,
                shrink,
            )

    def _step_fused(self, rates: Tensor) -> None:
        self._count.add_(1.0)
        for slot in self._slots:
            if slot.strength is not None:
                slot.gradient.mul_(slot.strength)
        for column, group in enumerate(self._groups):
            pieces = [
                (slot.weight[span], slot.gradient[span], mean[span], square[span])
                for slot, (mean, square) in zip(self._slots, self._averages, strict=True)
                for span in group.spans
            ]
            _fused(
                *zip(*pieces, strict=True),
                [],
                [self._count] * len(pieces),
                lr=rates[column],
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group.run.weight_decay or 0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
        for slot in self._slots:
            slot.refresh()


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Runs with the same learning rate and decay: one of them, and the slices of all."""

    run: Run
    spans: list[slice]


def _kind(run: Run) -> tuple[float, str | None]:
    return run.learning_rate, run.learning_rate_decay


def _groups(runs: Sequence[Run]) -> list[_Group]:
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, run in enumerate(runs):
        places.setdefault((*_kind(run), run.weight_decay or 0.0), []).append(place)
    return [_Group(run=runs[found[0]], spans=_spans(found)) for found in places.values()]


def _spans(places: Sequence[int]) -> list[slice]:
    """Combine increasing indices into contiguous slices."""
    spans: list[slice] = []
    for place in places:
        if spans and spans[-1].stop == place:
            spans[-1] = slice(spans[-1].start, place + 1)
        else:
            spans.append(slice(place, place + 1))
    return spans


def update_in_place(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    strength: Tensor | None,
    effective: Tensor | None,
    rate: Tensor,
    root: Tensor,
    shrink: Tensor | None,
) -> None:
    """One step of Adam on parameters (R, n), as used by ``plain`` and, in one pass, ``compiled``.

    `rate` (R, 1), `root` () and `shrink` (R, 1), or None without weight decay, are rows of
    :class:`Tables`.
    """
    if strength is not None:
        gradient = gradient * strength
    mean.lerp_(gradient, 1.0 - BETAS[0])
    square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1.0 - BETAS[1])
    if shrink is not None:
        weight.mul_(shrink)
    weight.sub_(rate * (mean / (square.sqrt() / root).add(EPSILON)))
    if strength is not None and effective is not None:
        torch.mul(weight, strength, out=effective)


@functools.cache
def compiled(update: Callable[..., None]) -> Callable[..., None]:
    """Compile a step into one kernel for the device, for any number of runs."""
    return torch.compile(update, dynamic=True)


def recompiling(way: str) -> contextlib.AbstractContextManager[object]:
    """Raise torch's limit on recompilations; by default it gives up after eight."""
    if way != "compiled":
        return contextlib.nullcontext()
    patched: contextlib.AbstractContextManager[object]
    patched = torch._dynamo.config.patch(recompile_limit=RECOMPILED)
    return patched
