"""What a worker process does: it is told which run to train, and sends its record back."""

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
    """Start a worker of a pool: it ignores Ctrl-C, which its parent handles, and ends with it.

    Parameters
    ----------
    parent : a pipe whose other end is the parent's; once that is closed the worker ends.
    ticks : a queue that gets 1 after each epoch.
    definitions : kernels of a notebook or of a file of the user's own, to register here too.
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
    """Train in a worker of a pool, which writes the weights itself where a path is given.

    Megabytes on their way to the parent would be cut off where the worker is killed, and the parent
    would wait for the rest for ever; a record passes through a pipe in one piece.
    """
    trained = train_one(Run.from_dict(config), weights_path is not None, _on_epoch)
    if weights_path is not None and trained.weights is not None:
        weight_cache.write(trained.weights, weights_path)
    return trained._replace(weights=None)


def train_remotely(
    config: dict[str, Any], keep_weights: bool, definitions: bytes, code: str
) -> Trained:
    """Train in a worker of somebody's executor, maybe on another machine: it gets all it needs.

    Raises
    ------
    WorkerError : the worker's package is not the caller's, whose code has the digest `code`.
    OSError : the data cannot be read there; names the worker.
    """
    here = f"worker on {platform.node()}"
    if provenance.code() != code:
        version = provenance.versions()["spatialnb"]
        raise WorkerError(
            f"{here}: its spatialnb ({version}) is not that of the caller. Install the same "
            "one there, start the workers again, and repeat the command."
        )
    user_definitions.unpack(definitions)
    try:
        return train_one(Run.from_dict(config), keep_weights)
    except OSError as error:  # most of all data that are not there
        raise type(error)(f"{here}: {error}") from error
