"""Train in worker processes on this machine; killing one loses no finished run."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from spatialnb.config import user_definitions
from spatialnb.execution import futures
from spatialnb.execution.backend import Backend, WorkerError
from spatialnb.execution.cores import cores
from spatialnb.execution.stack_options import Size, stacking
from spatialnb.execution.stacking import train_stacks

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue

RESTARTS = 3
"""How many times in a row a pool may lose a worker without finishing a run."""


@dataclass(frozen=True, kw_only=True)
class ProcessPool(Backend):
    """Train in single-threaded processes. This is the default backend.

    Parameters
    ----------
    workers : the number of processes; by default one per core.
    stack : first train up to this many runs of one architecture together in this process, with
        :mod:`spatialnb.training.batched`; the pool trains the others.

    Raises
    ------
    ValueError : less than one worker, or a stack of less than one run.
    """

    workers: int | None = None
    stack: Size | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: expected at least 1, got {self.workers}")
        stacking(self.stack)

    @property
    def parallelism(self) -> int:
        """The number of processes."""
        return self.workers or cores()

    def train(self, queue: JobQueue) -> None:
        """Train stacks first, then all other runs; a pool that lost a worker is restarted."""
        if (stacks := stacking(self.stack)) is not None:
            train_stacks(queue, stacks)
        deaths = 0
        while queue:
            if deaths == RESTARTS:
                raise WorkerError(
                    f"worker processes died {RESTARTS} times (killed, or out of memory); "
                    f"{queue.total - len(queue)} of {queue.total} runs are recorded. "
                    "Try fewer workers; the same command continues where this one stopped."
                )
            before = len(queue)
            queue.recount()
            with contextlib.suppress(BrokenProcessPool):
                _train_in_pool(queue, self.parallelism)
            deaths = deaths + 1 if len(queue) == before else 0


def _train_in_pool(queue: JobQueue, workers: int) -> None:
    """Train the queue in one pool. Raises BrokenProcessPool if it loses a worker."""
    from spatialnb.execution import worker  # here: naming a backend needs no torch

    def done(future: Future[Any]) -> None:
        queue.finish(*future.result())

    with _pool(workers, queue) as (pool, drain):
        jobs = (
            pool.submit(worker.train, run.to_dict(), queue.weights_path(run)) for run in queue.runs
        )
        with _uninterrupted(), _main_left_alone():
            first = list(itertools.islice(jobs, futures.AHEAD))
        futures.collect(itertools.chain(first, jobs), done, drain)


@contextlib.contextmanager
def _pool(workers: int, queue: JobQueue) -> Iterator[tuple[Executor, Callable[[], None]]]:
    """Worker processes that exit when this process closes its end of a pipe, or dies."""
    from spatialnb.execution import worker  # here: naming a backend needs no torch

    context = get_context("spawn")
    try:
        ticks = context.SimpleQueue()
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}: no worker processes can be started, because their semaphores need "
            "a writable /dev/shm; provide one (docker run --tmpfs /dev/shm), or train in one "
            "process, from Python: backend=InProcess()",
        ) from error
    theirs, ours = context.Pipe(duplex=False)

    def drain() -> None:
        while not ticks.empty():
            queue.advance(ticks.get())

    with worker_environment():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=context,
            initializer=worker.begin,
            initargs=(theirs, ticks, user_definitions.packed()),
        )
        try:
            yield pool, drain
        finally:
            drain()
            ours.close()
            pool.shutdown(wait=True, cancel_futures=True)
            theirs.close()


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Workers that are started inside do not import the main script.

    They receive what they need from it in packed form. A script without
    ``if __name__ == "__main__":`` would start new workers in each worker, and a script read from
    standard input cannot be imported at all.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C inside, and in the workers that are started inside.

    Otherwise each worker would print a traceback if it is interrupted during its imports. Only the
    main thread can set signal handlers; in another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def worker_environment() -> Iterator[None]:
    """Environment inherited by workers: one thread each, and an allocator that keeps its pages.

    By default, glibc returns large blocks to the system immediately, so every training step faults
    the same pages in again. Keeping them makes a step about 10 % faster, with the same numbers.
    """
    ours = {
        "OMP_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
