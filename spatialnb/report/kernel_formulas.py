"""Kernels and schedules as HTML formulas.

K is the kernel value, d the distance that a connection spans, and p the training progress, from 0
in the first epoch to 1 in the last.
"""

from __future__ import annotations

from functools import singledispatch
from html import escape

from spatialnb.priors.kernels import (
    Averaged,
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Scaled,
    Shuffled,
    Thresholded,
    Uniform,
)
from spatialnb.priors.schedules import Anneal, Eased, Reshuffled, Schedule, Sharpen, Static

PERMUTED = "permuted over all connections of a layer"
ONCE = "one permutation of each shape of layer, the same in every epoch and for every run"
EASED = {"cosine": "(1 − cos πp) / 2", "late": "max(0, 3p − 2)"}
"""The eased progress as a function of p, by easing."""


@singledispatch
def kernel_formula(kernel: Kernel, rate: str = "") -> str:
    """The kernel value as a function of d; for a user-defined kernel, its name.

    Parameters
    ----------
    rate : a symbol for the rate k of an exponential kernel; by default its number.
    """
    return escape(kernel.label())


@kernel_formula.register
def _(kernel: Uniform, rate: str = "") -> str:
    return f"{kernel.value:g}"


@kernel_formula.register
def _(kernel: Linear, rate: str = "") -> str:
    return _above(kernel.floor, "(1 − d)") if kernel.floor else "1 − d"


@kernel_formula.register
def _(kernel: Exponential, rate: str = "") -> str:
    return _above(kernel.floor, f"e<sup>−{rate or f'{kernel.k:g}'}&#8239;d</sup>")


@kernel_formula.register
def _(kernel: Gaussian, rate: str = "") -> str:
    return _above(kernel.floor, f"e<sup>−d²/{kernel.width:g}</sup>")


@kernel_formula.register
def _(kernel: Inverse, rate: str = "") -> str:
    return _above(kernel.floor, "d")


@kernel_formula.register
def _(kernel: Shuffled, rate: str = "") -> str:
    inner = kernel_formula(kernel.kernel, rate)
    return f"{inner}, its values {PERMUTED} (seed {kernel.seed}; {ONCE})"


@kernel_formula.register
def _(kernel: Averaged, rate: str = "") -> str:
    mean = "mean" if kernel.power == 1 else "root mean square"
    return f"the {mean} over a layer of {kernel_formula(kernel.kernel, rate)}"


@kernel_formula.register
def _(kernel: Scaled, rate: str = "") -> str:
    inner = kernel_formula(kernel.kernel, rate)
    times = "" if isinstance(kernel.kernel, Uniform) and inner == "1" else f" · ({inner})"
    return f"{kernel.factor:g} / √(fan in){times}"


@kernel_formula.register
def _(kernel: Thresholded, rate: str = "") -> str:
    return f"{kernel_formula(kernel.kernel, rate)} where that is at least {kernel.least:g}, else 0"


@singledispatch
def schedule_formula(schedule: Schedule, progress: str = "p") -> str:
    """A schedule's kernel as a function of d and progress; its name if it is user-defined."""
    return escape(type(schedule).__name__)


@schedule_formula.register
def _(schedule: Static, progress: str = "p") -> str:
    return kernel_formula(schedule.kernel)


@schedule_formula.register
def _(schedule: Sharpen, progress: str = "p") -> str:
    start, end = f"{schedule.k_start:g}", f"{schedule.k_end:g}"
    return (
        f"{kernel_formula(schedule.kernel, 'k')}, where k = (1 − {progress}) · {start} + "
        f"{progress} · {end}"
    )


@schedule_formula.register
def _(schedule: Anneal, progress: str = "p") -> str:
    start, end = kernel_formula(schedule.start), kernel_formula(schedule.end)
    return f"(1 − {progress}) · [{start}] + {progress} · [{end}]"


@schedule_formula.register
def _(schedule: Reshuffled, progress: str = "p") -> str:
    inner = schedule_formula(schedule.schedule, progress)
    return f"{inner}; its values {PERMUTED} anew in every epoch (seed {schedule.seed})"


@schedule_formula.register
def _(schedule: Eased, progress: str = "p") -> str:
    return f"{schedule_formula(schedule.schedule, 'q')}, where q = {EASED[schedule.ease]}"


def _above(floor: float, shape: str) -> str:
    """A shape with values from 0 to 1, raised to a floor: $f + (1 - f)$ times the shape."""
    return f"{floor:g} + {1.0 - floor:g} {shape}" if floor else shape
