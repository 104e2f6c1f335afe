"""Interface of backends, which train the missing runs.

There are four: :class:`~spatialnb.execution.process_pool.ProcessPool` (the default),
:class:`~spatialnb.execution.in_process.InProcess`,
:class:`~spatialnb.execution.accelerator.Accelerator` and
:class:`~spatialnb.execution.executor.ExecutorBackend`. Creating a backend does not import torch and
starts no process, so it costs nothing if all runs turn out to be recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


class WorkerError(RuntimeError):
    """Workers died repeatedly, or have another version of this package."""


class Backend(ABC):
    """Trains the runs of a queue, and returns each finished run to the queue.

    A backend neither looks up nor writes records; the queue does. A returned run is therefore
    recorded, whatever happens to the backend afterwards.
    """

    on_this_machine: ClassVar[bool] = True
    """Whether runs are trained on this machine, so that the data must be available here."""
    device: str = "cpu"
    """The torch device on which runs are trained."""

    @property
    @abstractmethod
    def parallelism(self) -> int:
        """How many runs are trained in parallel, not counting stacks."""

    @property
    def stacks(self) -> bool:
        """Whether runs are trained in stacks where possible."""
        return getattr(self, "stack", None) is not None

    def check(self) -> None:  # noqa: B027 most backends can always be used
        """Raise ValueError if this backend cannot be used; called before anything is trained."""

    @abstractmethod
    def train(self, queue: JobQueue) -> None:
        """Train every run of the queue, and return once it is empty.

        Raises
        ------
        WorkerError : workers died repeatedly, or have another version of this package.
        KeyboardInterrupt : stopped by the user.
        """
