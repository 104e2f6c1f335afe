"""Schedules: from training progress to a kernel.

Progress runs from 0 in the first epoch to 1 in the last, and is constant within an epoch.
Source: report, v4 (from one kernel to another) and v10 (sharpening).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from spatialnb.priors.kernels import Blend, Exponential, Kernel, Shuffled, Uniform, sharpened
from spatialnb.registry import Registry, check_fields, unknown


class Schedule:
    """A kernel for every progress in [0, 1]. Subclasses are frozen dataclasses."""

    def at(self, progress: float) -> Kernel:
        """The kernel at this progress. ValueError outside [0, 1]."""
        raise NotImplementedError


schedules: Registry[Schedule] = Registry(Schedule, "schedule")
"""Every schedule by name."""
register = schedules.register
"""Class decorator: make a schedule known by a name; see :class:`~spatialnb.registry.Registry`."""


def progress(epoch: int, epochs: int) -> float:
    r"""Progress of epoch e of E: $e / (E - 1)$, and 1 where there is one epoch only.

    Parameters
    ----------
    epoch : counted from 0.
    epochs : how many there are, at least 1.
    """
    if epochs < 1 or not 0 <= epoch < epochs:
        raise ValueError(f"expected 0 <= epoch < epochs, got epoch {epoch} of {epochs}")
    return 1.0 if epochs == 1 else epoch / (epochs - 1)


def _check(progress: float) -> None:
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress: expected a number in [0, 1], got {progress}")


@register("static")
@dataclass(frozen=True, kw_only=True)
class Static(Schedule):
    """One kernel throughout."""

    kernel: Kernel = field(default_factory=Uniform)

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return self.kernel


@register("anneal")
@dataclass(frozen=True, kw_only=True)
class Anneal(Schedule):
    r"""From one kernel to another: $K(p) = (1 - p) K_0 + p K_1$. Report, v4."""

    start: Kernel
    end: Kernel

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return Blend(start=self.start, end=self.end, weight=progress)


@register("sharpen")
@dataclass(frozen=True, kw_only=True)
class Sharpen(Schedule):
    r"""A growing rate: $k(p) = (1 - p) k_0 + p k_1$ in the same kernel. Report, v10."""

    k_start: float
    k_end: float
    kernel: Kernel = field(default_factory=Exponential)

    def __post_init__(self) -> None:
        check_fields(self)
        sharpened(self.kernel, self.k_start)
        sharpened(self.kernel, self.k_end)
        # k stands in two places of one configuration; only the ends count, so it is the start here
        # and one schedule has one id.
        object.__setattr__(self, "kernel", sharpened(self.kernel, self.k_start))

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return sharpened(self.kernel, (1.0 - progress) * self.k_start + progress * self.k_end)


@register("reshuffled")
@dataclass(frozen=True, kw_only=True)
class Reshuffled(Schedule):
    """The strengths of another schedule at places permuted anew at every progress.

    No weight keeps its strength from one epoch to the next. The permutation depends on the seed,
    the progress and the layer's shape alone.
    """

    schedule: Schedule
    seed: int = 1000

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise ValueError(f"Reshuffled.seed: expected at least 0, got {self.seed}")
        self.at(0.0)  # a kernel that is shuffled already is refused here

    def at(self, progress: float) -> Kernel:
        _check(progress)
        digest = hashlib.sha256(f"{self.seed} {float(progress).hex()}".encode()).digest()
        seed = int.from_bytes(digest[:8], "big") >> 1
        return Shuffled(kernel=self.schedule.at(progress), seed=seed)


EASES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1.0 - math.cos(math.pi * progress)) / 2.0,
    "late": lambda progress: max(0.0, 3.0 * progress - 2.0),
}
"""From progress to progress, each from 0 to 1."""


@register("eased")
@dataclass(frozen=True, kw_only=True)
class Eased(Schedule):
    r"""Another schedule at another pace: ``cosine`` or ``late``.

    `ease` takes progress p to $(1 - \cos \pi p) / 2$, slow at both ends, or to $\max(0, 3 p - 2)$,
    nothing in the first two thirds. Log, v7: "the decay schedule was wrong (linear may not be
    optimal)".
    """

    schedule: Schedule
    ease: str

    def __post_init__(self) -> None:
        check_fields(self)
        if self.ease not in EASES:
            raise ValueError(unknown("ease", self.ease, EASES))

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return self.schedule.at(EASES[self.ease](progress))
