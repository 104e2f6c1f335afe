"""Options for training many runs together as one program. Creating them does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AUTO: Literal["auto"] = "auto"
"""As many runs together as fit in the device's memory."""
Size = int | Literal["auto"]
"""How many runs are trained together."""
PRECISIONS = ("float32", "tf32")
"""Precisions of matrix products, as in :class:`spatialnb.training.batched.Options`."""


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """How a backend trains stacks.

    Parameters
    ----------
    size : the largest number of runs in a stack, or ``auto`` on a CUDA device.
    device : a torch device.
    precision : ``float32``, or ``tf32`` on a CUDA device.

    Raises
    ------
    ValueError : less than one run, or an option for CUDA on another device.
    """

    size: Size
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        cuda = self.device.partition(":")[0] == "cuda"
        if self.size == AUTO:
            if not cuda:
                raise ValueError(
                    "stack: auto needs a CUDA device, whose memory sets the number of runs; give a "
                    f"number of runs for the device {self.device!r}"
                )
        elif not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"stack: expected at least 1, or {AUTO}, got {self.size}")
        if self.precision not in PRECISIONS:
            expected = " or ".join(PRECISIONS)
            raise ValueError(f"precision: expected {expected}, got {self.precision!r}")
        if self.precision != "float32" and not cuda:
            raise ValueError(
                f"precision: {self.precision} is only for stacks on a CUDA device; leave it out on "
                f"the device {self.device!r}"
            )


def stacking(size: Size | None, device: str = "cpu", precision: str = "float32") -> Stacking | None:
    """The checked options; None if no stacks are requested."""
    if size is None:
        if precision != "float32":
            raise ValueError("precision: applies only to stacks; give the number of runs as stack")
        return None
    return Stacking(size=size, device=device, precision=precision)
