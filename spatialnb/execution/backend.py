"""A backend: where missing runs are trained.

There are four: :class:`~spatialnb.execution.process_pool.ProcessPool` (the default),
:class:`~spatialnb.execution.in_process.InProcess`,
:class:`~spatialnb.execution.accelerator.Accelerator` and
:class:`~spatialnb.execution.executor.ExecutorBackend`. Making one imports no torch and starts
nothing, so a backend may be named where everything turns out to be recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


class WorkerError(RuntimeError):
    """Workers died again and again, or have another version of this package."""


class Backend(ABC):
    """Trains the runs of a queue, and hands every finished one back to it.

    A backend neither looks up nor writes records: the queue does, so a run that was handed back
    is recorded, whatever happens to the backend afterwards.
    """

    on_this_machine: ClassVar[bool] = True
    """Whether runs are trained on this machine, so that their data have to be here."""
    device: str = "cpu"
    """Where, as torch calls it."""

    @property
    @abstractmethod
    def parallelism(self) -> int:
        """How many runs are trained at once, one by one and not in stacks."""

    @property
    def stacks(self) -> bool:
        """Whether runs are trained in stacks, as far as they can be."""
        return getattr(self, "stack", None) is not None

    def check(self) -> None:  # noqa: B027 most backends can always be used
        """Raise ValueError where this backend cannot be used; called before anything is trained."""

    @abstractmethod
    def train(self, queue: JobQueue) -> None:
        """Train every run of the queue, and return once it is empty.

        Raises
        ------
        WorkerError : workers died repeatedly, or have another version of this package.
        KeyboardInterrupt : stopped by the user.
        """
