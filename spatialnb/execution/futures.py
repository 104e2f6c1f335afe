"""Futures submitted a number of them ahead, and handed on as they end."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

POLL_SECONDS = 0.2
"""How often the bar is brought up to date."""
AHEAD = 10_000
"""Runs that are submitted ahead: more than an executor has workers."""

T = TypeVar("T")


def collect(
    futures: Iterator[Future[T]],
    done: Callable[[Future[T]], None],
    drain: Callable[[], None],
) -> None:
    """Hand every future on as it ends; `futures` submits them, :data:`AHEAD` of them ahead.

    The ends are queued by the futures themselves: to ask each of thousands again and again takes
    longer than their runs.

    Parameters
    ----------
    futures : submits a future whenever the next one is taken.
    done : called with each future that ended well.
    drain : called every :data:`POLL_SECONDS` and whenever futures end.

    Raises
    ------
    Exception : that of a future; the good ones that ended with it are handed on before.
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
    """What has ended, after a moment if nothing has yet."""
    with contextlib.suppress(Empty):
        yield ended.get(timeout=POLL_SECONDS)
        while True:
            yield ended.get_nowait()
