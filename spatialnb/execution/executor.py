"""Training by any ``concurrent.futures.Executor``: MPI, loky, a Dask cluster."""

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
    executor : does the training. Its workers need this package, the same as here, and the data;
        nothing else is sent or shared.
    workers : how many runs it trains at once, for estimates of time.
    watch : called again and again while runs are trained, to say what became of the workers.
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
        """Submit every run, and take the records that come back."""
        from spatialnb.config import user_definitions  # here: naming a backend needs no torch
        from spatialnb.execution import worker
        from spatialnb.records import provenance

        def done(future: Future[Any]) -> None:
            trained = future.result()
            queue.advance(trained.record.config["epochs"])  # they are not reported one by one
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
                "are left. What is finished is recorded, and the same command goes on where this "
                "one stopped."
            ) from error
