"""A backend on a Dask cluster that is there already: its scheduler and workers are not ours.

Needs ``dask.distributed``, which ``pip install 'spatialnb[cluster]'`` brings.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from spatialnb.execution.executor import ExecutorBackend

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""


@contextlib.contextmanager
def connected(address: str, say: Callable[[str], None] = print) -> Iterator[ExecutorBackend]:
    """A backend on the cluster of this scheduler, with the number of processes it has now.

    A worker that is lost costs the runs that it had in flight, which others try again; workers may
    come and go. Nothing of the cluster is stopped at the end, but for runs that wait.

    Parameters
    ----------
    address : of the scheduler, such as ``tcp://login-node:8786``.
    say : told where there is no worker yet, and so nothing happens.

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
            "a cluster needs dask.distributed: pip install 'spatialnb[cluster]'"
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
            yield ExecutorBackend(client.get_executor(pure=False), workers=len(specs))
        except KilledWorker as error:
            raise RuntimeError(
                f"a run took down one worker after another, most likely out of memory: {error}"
            ) from error
