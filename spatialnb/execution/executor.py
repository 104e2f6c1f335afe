"""Train with any ``concurrent.futures.Executor``: MPI, loky, a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from spatialnb.execution import futures
from spatialnb.execution.backend import Backend, WorkerError

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


def _nothing() -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class ExecutorBackend(Backend):
    """Send runs to workers that this process did not start.

    Parameters
    ----------
    executor : runs the training. Its workers need the same version of this package, and the data;
        nothing else is sent or shared.
    workers : how many runs it trains in parallel, for time estimates.
    watch : called repeatedly during training, to report on the workers.
    """

    on_this_machine: ClassVar[bool] = False
    executor: Executor
    _: KW_ONLY
    workers: int = 1
    watch: Callable[[], None] = _nothing

    @property
    def parallelism(self) -> int:
        """The number of workers that was given."""
        return self.workers

    def train(self, queue: JobQueue) -> None:
        """Submit every run, and record the results as they return."""
        from spatialnb.config import user_definitions  # here: naming a backend needs no torch
        from spatialnb.execution import worker
        from spatialnb.records import provenance

        def done(future: Future[Any]) -> None:
            trained = future.result()
            queue.advance(trained.record.config["epochs"])  # all at once: no progress per epoch
            queue.finish(*trained)

        shared = (user_definitions.packed(), provenance.code())
        jobs = (
            self.executor.submit(
                worker.train_remotely, run.to_dict(), queue.needs_weights(run), *shared
            )
            for run in queue.runs
        )
        try:
            futures.collect(jobs, done, self.watch)
        except (BrokenExecutor, CancelledError) as error:
            raise WorkerError(
                f"the workers are lost ({str(error) or type(error).__name__}); {len(queue)} runs "
                "are left. Finished runs are recorded, and the same command continues where this "
                "one stopped."
            ) from error
