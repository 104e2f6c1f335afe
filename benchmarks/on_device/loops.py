"""The package's training loop on all CPU cores: its speed and its results."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from typing import Any


def cores() -> int:
    """The number of cores that this process may use."""
    from spatialnb.execution.cores import cores

    return cores()


def train(run: Any) -> tuple[float, dict[str, list[float]]]:
    """Train a run in the loop; return the seconds, and its quantities by epoch."""
    from spatialnb import datasets
    from spatialnb.training import loop

    data = datasets.load(run.dataset)
    started = time.perf_counter()
    outcome = loop.train(run, data).outcome
    return time.perf_counter() - started, outcome["epochs"]


def warm(_: int) -> int:
    """Import what the loop needs, so that no import runs during the timing."""
    from spatialnb.training import loop  # noqa: F401

    time.sleep(0.5)  # so that every process gets one of these calls
    return os.getpid()


def on_all_cores(
    timed: Sequence[Any], small: Sequence[Any], workers: int
) -> tuple[dict[str, Any], list[dict[str, list[float]]], list[dict[str, list[float]]]]:
    """Train runs in single-threaded processes, as the package's process pool does.

    Parameters
    ----------
    timed : the runs that are timed; enough that no process is idle.
    small : runs that are trained afterwards.
    workers : the number of processes.

    Returns
    -------
    The rate, and the quantities by epoch of the timed runs and of the small ones.
    """
    from spatialnb.execution.process_pool import worker_environment

    with worker_environment(), multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(warm, range(workers), chunksize=1)
        started = time.perf_counter()
        first = pool.map(train, timed, chunksize=1)
        wall = time.perf_counter() - started
        second = pool.map(train, small, chunksize=1)
    epochs = sum(run.epochs for run in timed)
    seconds = [took for took, _ in first]
    rate = {
        "workers": workers,
        "runs": len(timed),
        "epochs": epochs,
        "wall_s": wall,
        "epoch_s_of_one": sum(seconds) / epochs,
        "epochs_a_minute": 60.0 * epochs / wall,
        "runs_of_12_epochs_a_minute": 5.0 * epochs / wall,
    }
    return rate, [found for _, found in first], [found for _, found in second]
