"""A backend on an existing Dask cluster, whose scheduler and workers are managed elsewhere.

Needs ``dask.distributed``: ``pip install -e '.[cluster]'`` in a checkout.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any

from spatialnb.execution.executor import ExecutorBackend

CONNECT_SECONDS = 10.0
"""Timeout for connecting to a scheduler."""
WATCH_SECONDS = 5.0
"""Interval at which the scheduler is asked for its workers."""


class Watch:
    """Reports lost and new workers; called repeatedly during training.

    Parameters
    ----------
    workers : returns the addresses of the current workers. An OSError (no answer) is ignored here,
        since the runs themselves will fail.
    say : receives the messages.
    first : addresses of the workers at the start.
    every : seconds between two queries.
    """

    def __init__(
        self,
        workers: Callable[[], Iterable[str]],
        say: Callable[[str], None],
        first: Iterable[str],
        every: float = WATCH_SECONDS,
    ) -> None:
        self._workers, self._say, self._every = workers, say, every
        self._there = set(first)
        self._asked = time.monotonic()

    def __call__(self) -> None:
        """Query the workers if the interval has passed, and report changes."""
        if time.monotonic() - self._asked < self._every:
            return
        self._asked = time.monotonic()
        try:
            now = set(self._workers())
        except OSError:
            return
        for address in sorted(self._there - now):
            self._say(f"The worker at {address} was lost; its runs are tried again")
        if self._there and not now:
            self._say("No worker is left; waiting for one")
        if now - self._there:
            self._say(f"New workers have joined: there are {len(now)} now")
        self._there = now


def _addresses(client: Any) -> Iterable[str]:
    if client.status != "running":  # else the call would block for a long time
        raise OSError("the scheduler is lost")
    return tuple(client.nthreads())


@contextlib.contextmanager
def connected(address: str, say: Callable[[str], None] = print) -> Iterator[ExecutorBackend]:
    """A backend on the cluster of this scheduler, with its current number of worker processes.

    Workers may join and leave. If a worker is lost, the runs it was training are tried again on
    others. At the end, waiting runs are cancelled and the cluster keeps running.

    Parameters
    ----------
    address : of the scheduler, such as ``tcp://login-node:8786``.
    say : receives messages about missing, lost and new workers.

    Raises
    ------
    RuntimeError : ``dask.distributed`` is not installed; a worker does not have this package; or a
        run was lost repeatedly together with its worker.
    ValueError : `address` is not an address.
    OSError : no Dask scheduler answers at this address.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise RuntimeError(
            "a cluster needs dask.distributed: pip install 'spatialnb[cluster]', or in a checkout "
            "pip install -e '.[cluster]'"
        ) from error
    try:
        host, port = get_address_host_port(address)
    except ValueError as error:
        raise ValueError(
            f"cluster {address!r}: {error}; expected an address such as tcp://login-node:8786"
        ) from error
    try:
        # Try the port first: a client without a scheduler keeps trying while it is being discarded.
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # any error: another kind of server may answer
        raise OSError(
            f"no Dask scheduler can be reached at {address} ({error}). Check that it is running, "
            "and check the address, which `dask scheduler` prints when it starts"
        ) from error
    with client:
        if not client.nthreads():
            say(f"The scheduler at {address} has no workers yet; waiting for the first one")
            client.wait_for_workers(1)
        # A worker without the package would die silently on the first run it receives.
        specs = client.run(find_spec, "spatialnb")
        without = sorted(worker for worker, spec in specs.items() if spec is None)
        if without:
            raise RuntimeError(
                f"spatialnb is not installed on {len(without)} of {len(specs)} workers, such as "
                f"{without[0]}: install it in the environment in which the workers are started"
            )
        try:
            yield ExecutorBackend(
                client.get_executor(pure=False),
                workers=len(specs),
                watch=Watch(lambda: _addresses(client), say, specs),
            )
        except KilledWorker as error:
            raise RuntimeError(
                f"a run killed one worker after another, most likely out of memory: {error}"
            ) from error
