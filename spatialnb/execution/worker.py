"""The work of a worker process: train the run it receives, and send back the record."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spatialnb.config import user_definitions
from spatialnb.config.run import Run
from spatialnb.execution.backend import WorkerError
from spatialnb.execution.trainer import Trained, train_one
from spatialnb.records import provenance, weight_cache

_on_epoch: Callable[[int], None] | None = None


def begin(parent: Connection, ticks: Any, definitions: bytes) -> None:
    """Initialise a worker of a pool: it ignores Ctrl-C and exits when its parent exits.

    Parameters
    ----------
    parent : a pipe to the parent process; the worker exits when the other end is closed.
    ticks : a queue that receives 1 after each epoch.
    definitions : user-defined kernels from a notebook or a file, to register here as well.
    """
    global _on_epoch

    def tick(_: int) -> None:
        ticks.put(1)

    _on_epoch = tick
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    user_definitions.unpack(definitions)


def _end_with(parent: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    os._exit(0)


def train(config: dict[str, Any], weights_path: Path | None) -> Trained:
    """Train in a worker of a pool; the worker itself writes the weights if a path is given.

    If a worker were killed while sending megabytes to its parent, the parent would wait for the
    rest forever. A record is small enough to pass through a pipe in one piece.
    """
    trained = train_one(Run.from_dict(config), weights_path is not None, _on_epoch)
    if weights_path is not None and trained.weights is not None:
        weight_cache.write(trained.weights, weights_path)
    return trained._replace(weights=None)


def train_remotely(
    config: dict[str, Any], keep_weights: bool, definitions: bytes, code: str
) -> Trained:
    """Train in a worker of any executor, possibly on another machine; all it needs is passed in.

    Raises
    ------
    WorkerError : the worker's package differs from the caller's, whose code has the digest `code`.
    OSError : the worker cannot read the data; the message names the worker.
    """
    here = f"worker on {platform.node()}"
    if provenance.code() != code:
        version = provenance.versions()["spatialnb"]
        raise WorkerError(
            f"{here}: its spatialnb ({version}) differs from the caller's. Install the same "
            "version there, restart the workers, and repeat the command."
        )
    user_definitions.unpack(definitions)
    try:
        return train_one(Run.from_dict(config), keep_weights)
    except OSError as error:  # usually missing data
        raise type(error)(f"{here}: {error}") from error
