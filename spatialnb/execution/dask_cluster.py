"""A backend on a Dask cluster that is there already: its scheduler and workers are not ours.

Needs ``dask.distributed``, which ``pip install -e '.[cluster]'`` in a checkout brings.
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
"""How long a scheduler may take to answer."""
WATCH_SECONDS = 5.0
"""How often the scheduler is asked for its workers."""


class Watch:
    """Says which workers were lost and which have come, when it is called.

    Parameters
    ----------
    workers : asks for the addresses of those that there are now. OSError, where nobody answers,
        leaves it to the runs to fail.
    say : told what has changed.
    first : those that there are at the beginning.
    every : seconds between two questions.
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
        """Ask, where it is time to, and say what is not as it was."""
        if time.monotonic() - self._asked < self._every:
            return
        self._asked = time.monotonic()
        try:
            now = set(self._workers())
        except OSError:
            return
        for address in sorted(self._there - now):
            self._say(f"The worker at {address} was lost; what it was at is tried again")
        if self._there and not now:
            self._say("No worker is left; waiting for one")
        if now - self._there:
            self._say(f"Workers have come: there are {len(now)} now")
        self._there = now


def _addresses(client: Any) -> Iterable[str]:
    if client.status != "running":  # it would wait long for an answer
        raise OSError("the scheduler is lost")
    return tuple(client.nthreads())


@contextlib.contextmanager
def connected(address: str, say: Callable[[str], None] = print) -> Iterator[ExecutorBackend]:
    """A backend on the cluster of this scheduler, with the number of processes it has now.

    A worker that is lost costs the runs that it had in flight, which others try again; workers may
    come and go. Nothing of the cluster is stopped at the end, but for runs that wait.

    Parameters
    ----------
    address : of the scheduler, such as ``tcp://login-node:8786``.
    say : told where there is no worker, and so nothing happens, and what became of workers.

    Raises
    ------
    RuntimeError : ``dask.distributed`` is not installed; a worker has not this package; or a run
        was lost with its worker again and again.
    ValueError : not an address.
    OSError : no Dask scheduler answers there.
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
        # Asked first: a client that finds no scheduler goes on trying while it is thrown away.
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # also what another kind of server says
        raise OSError(
            f"no Dask scheduler can be reached at {address} ({error}). Is it running, and is this "
            "its address? `dask scheduler` prints it when it starts"
        ) from error
    with client:
        if not client.nthreads():
            say(f"No worker is at {address} yet; waiting for the first one")
            client.wait_for_workers(1)
        # A worker without the package dies of the first run that it is sent, and says nothing.
        specs = client.run(find_spec, "spatialnb")
        without = sorted(worker for worker, spec in specs.items() if spec is None)
        if without:
            raise RuntimeError(
                f"{len(without)} of {len(specs)} workers have no spatialnb, such as {without[0]}: "
                "install it in the environment that they are started in"
            )
        try:
            yield ExecutorBackend(
                client.get_executor(pure=False),
                workers=len(specs),
                watch=Watch(lambda: _addresses(client), say, specs),
            )
        except KilledWorker as error:
            raise RuntimeError(
                f"a run took down one worker after another, most likely out of memory: {error}"
            ) from error
