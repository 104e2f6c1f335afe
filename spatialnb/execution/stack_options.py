"""How many runs are trained at once as one program, and where. Naming it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AUTO: Literal["auto"] = "auto"
"""As many runs at once as the device has memory for."""
Size = int | Literal["auto"]
"""How many runs are trained at once."""
PRECISIONS = ("float32", "tf32")
"""Of matrix products, as :class:`spatialnb.training.batched.Options` has them."""


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """How a backend trains stacks.

    Parameters
    ----------
    size : the most runs at once, or ``auto`` on a CUDA device.
    device : as torch calls it.
    precision : ``float32``, or ``tf32`` on a CUDA device.

    Raises
    ------
    ValueError : less than one run, or what is CUDA's alone on another device.
    """

    size: Size
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        cuda = self.device.partition(":")[0] == "cuda"
        if self.size == AUTO:
            if not cuda:
                raise ValueError(
                    "stack: auto goes by the memory of a CUDA device; name a number of runs for "
                    f"the device {self.device!r}"
                )
        elif not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"stack: expected at least 1, or {AUTO}, got {self.size}")
        if self.precision not in PRECISIONS:
            expected = " or ".join(PRECISIONS)
            raise ValueError(f"precision: expected {expected}, got {self.precision!r}")
        if self.precision != "float32" and not cuda:
            raise ValueError(
                f"precision: {self.precision} is for stacks on a CUDA device; leave it out on the "
                f"device {self.device!r}"
            )


def stacking(size: Size | None, device: str = "cpu", precision: str = "float32") -> Stacking | None:
    """The same, checked; None where no stacks are asked for."""
    if size is None:
        if precision != "float32":
            raise ValueError("precision: it is that of stacks; say how many runs by stack")
        return None
    return Stacking(size=size, device=device, precision=precision)
