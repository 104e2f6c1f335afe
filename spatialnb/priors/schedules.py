"""Schedules: from training progress to a kernel.

Progress runs from 0 in the first epoch to 1 in the last, and is constant within an epoch.
Source: log, v4 (from one kernel to another) and v10 (sharpening).
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
"""All schedules by name."""
register = schedules.register
"""Class decorator: register a schedule; see :class:`~spatialnb.registry.Registry`."""


def progress(epoch: int, epochs: int) -> float:
    r"""Progress in epoch e of E: $e / (E - 1)$, and 1 if there is only one epoch.

    Parameters
    ----------
    epoch : counted from 0.
    epochs : the number of epochs, at least 1.
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
    """One kernel throughout training."""

    kernel: Kernel = field(default_factory=Uniform)

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return self.kernel


@register("anneal")
@dataclass(frozen=True, kw_only=True)
class Anneal(Schedule):
    r"""Linear interpolation from one kernel to another: $K(p) = (1 - p) K_0 + p K_1$. Log, v4."""

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
    r"""A kernel with an increasing decay rate: $k(p) = (1 - p) k_0 + p k_1$. Log, v10."""

    k_start: float
    k_end: float
    kernel: Kernel = field(default_factory=Exponential)

    def __post_init__(self) -> None:
        check_fields(self)
        sharpened(self.kernel, self.k_start)
        sharpened(self.kernel, self.k_end)
        # The configuration holds k twice, but only k_start and k_end matter. Setting the kernel's
        # own k to k_start gives equal schedules the same id.
        object.__setattr__(self, "kernel", sharpened(self.kernel, self.k_start))

    def at(self, progress: float) -> Kernel:
        _check(progress)
        return sharpened(self.kernel, (1.0 - progress) * self.k_start + progress * self.k_end)


@register("reshuffled")
@dataclass(frozen=True, kw_only=True)
class Reshuffled(Schedule):
    """Another schedule's kernel values, with a new permutation in every epoch.

    No weight keeps its kernel value from one epoch to the next. The permutation depends only on the
    seed, the progress and the layer's shape.
    """

    schedule: Schedule
    seed: int = 1000

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise ValueError(f"Reshuffled.seed: expected at least 0, got {self.seed}")
        self.at(0.0)  # raises ValueError if the kernel is already shuffled

    def at(self, progress: float) -> Kernel:
        _check(progress)
        digest = hashlib.sha256(f"{self.seed} {float(progress).hex()}".encode()).digest()
        seed = int.from_bytes(digest[:8], "big") >> 1
        return Shuffled(kernel=self.schedule.at(progress), seed=seed)


EASES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1.0 - math.cos(math.pi * progress)) / 2.0,
    "late": lambda progress: max(0.0, 3.0 * progress - 2.0),
}
"""Easing functions, from progress in [0, 1] to progress in [0, 1]."""


@register("eased")
@dataclass(frozen=True, kw_only=True)
class Eased(Schedule):
    r"""Another schedule with eased progress: ``cosine`` or ``late``.

    ``cosine`` maps progress p to $(1 - \cos \pi p) / 2$, slow at both ends; ``late`` maps it to
    $\max(0, 3 p - 2)$, no change in the first two thirds. Log, v7: "the decay schedule was wrong
    (linear may not be optimal)".
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
