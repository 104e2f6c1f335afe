"""Train in this process, one run at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spatialnb.execution.backend import Backend
from spatialnb.execution.stack_options import Size, Stacking, stacking
from spatialnb.execution.stacking import train_stacks

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


@dataclass(frozen=True, kw_only=True)
class InProcess(Backend):
    """Train on the CPU in this process, without worker processes, so that a debugger can follow.

    Parameters
    ----------
    stack : train up to this many runs of one architecture together, with
        :mod:`spatialnb.training.batched`; other runs are trained one by one.

    Raises
    ------
    ValueError : a stack of less than one run.
    """

    stack: Size | None = None

    def __post_init__(self) -> None:
        stacking(self.stack)

    @property
    def parallelism(self) -> int:
        """One."""
        return 1

    def train(self, queue: JobQueue) -> None:
        """Train stacks first, then all other runs."""
        train_in_turn(queue, "cpu", stacking(self.stack))


def train_in_turn(queue: JobQueue, device: str, stack: Stacking | None) -> None:
    """Train the queue in this process on a device: stacks first, then one run at a time."""
    from spatialnb.execution.trainer import train_one  # here: naming a backend needs no torch

    if stack is not None:
        train_stacks(queue, stack)
    for run in queue.runs:
        queue.finish(*train_one(run, queue.needs_weights(run), queue.on_epoch(), device))
