"""Train on an accelerator, in this process."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from spatialnb.execution.backend import Backend
from spatialnb.execution.in_process import train_in_turn
from spatialnb.execution.stack_options import Size, stacking

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


@dataclass(frozen=True)
class Accelerator(Backend):
    """Train on one device, one run at a time or in stacks.

    Parameters
    ----------
    device : a torch device, such as ``cuda``.
    stack : train up to this many runs of one architecture together, with
        :mod:`spatialnb.training.batched`; ``auto`` for as many as fit in the memory of a CUDA
        device. Other runs are trained one by one.
    precision : of the matrix products in stacks: ``float32``, or ``tf32``, which is faster on CUDA
        and gives different numbers.

    Raises
    ------
    ValueError : a stack of less than one run, or an option for CUDA on another device; from
        :meth:`check`, a device that is not available.
    """

    device: str
    _: KW_ONLY
    stack: Size | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        stacking(self.stack, self.device, self.precision)

    @property
    def parallelism(self) -> int:
        """One."""
        return 1

    def check(self) -> None:
        """Raise ValueError if torch cannot use the device."""
        import torch  # here: naming a backend needs no torch

        try:
            torch.empty(0, device=self.device)
        except (AssertionError, NotImplementedError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise ValueError(
                f"device {self.device!r} cannot be used here ({why}); leave it out to train on the "
                "CPU"
            ) from error

    def train(self, queue: JobQueue) -> None:
        """Train stacks first, then all other runs."""
        train_in_turn(queue, self.device, stacking(self.stack, self.device, self.precision))
