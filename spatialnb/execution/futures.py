"""Submit futures up to a limit ahead, and process each as it completes."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

POLL_SECONDS = 0.2
"""Interval at which the progress bar is updated."""
AHEAD = 10_000
"""How many runs are submitted ahead: more than an executor has workers."""

T = TypeVar("T")


def collect(
    futures: Iterator[Future[T]],
    done: Callable[[Future[T]], None],
    drain: Callable[[], None],
) -> None:
    """Pass every future to `done` as it completes; at most :data:`AHEAD` are pending at a time.

    Each future adds itself to a queue when it completes, because polling thousands of futures would
    take longer than the runs.

    Parameters
    ----------
    futures : submits a new future each time the next one is taken.
    done : called with each future that completed without an error.
    drain : called every :data:`POLL_SECONDS`, and whenever futures complete.

    Raises
    ------
    Exception : the exception of a future, after the successful futures that completed with it have
        been passed to `done`.
    """
    ended: SimpleQueue[Future[T]] = SimpleQueue()
    pending: set[Future[T]] = set()
    try:
        while True:
            for future in itertools.islice(futures, AHEAD - len(pending)):
                pending.add(future)
                future.add_done_callback(ended.put)
            if not pending:
                return
            batch = set(_waited_for(ended))
            drain()
            pending -= batch
            good = {one for one in batch if not one.cancelled() and one.exception() is None}
            for future in good:
                done(future)
            for future in batch - good:
                future.result()
    finally:
        for future in pending:
            future.cancel()


def _waited_for(ended: SimpleQueue[Future[T]]) -> Iterator[Future[T]]:
    """The completed futures; waits up to :data:`POLL_SECONDS` for the first."""
    with contextlib.suppress(Empty):
        yield ended.get(timeout=POLL_SECONDS)
        while True:
            yield ended.get_nowait()
