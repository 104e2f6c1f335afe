"""The package's loop on all cores of the processor: what it takes, and what comes out."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from typing import Any


def cores() -> int:
    """Cores that this process may use."""
    from spatialnb.execution.cores import cores

    return cores()


def train(run: Any) -> tuple[float, dict[str, list[float]]]:
    """Seconds of a run in the loop, and its quantities by epoch."""
    from spatialnb import datasets
    from spatialnb.training import loop

    data = datasets.load(run.dataset)
    started = time.perf_counter()
    outcome = loop.train(run, data).outcome
    return time.perf_counter() - started, outcome["epochs"]


def warm(_: int) -> int:
    """Import what the loop needs, so that no run is timed while another process imports."""
    from spatialnb.training import loop  # noqa: F401

    time.sleep(0.5)  # so that each process takes one of these calls
    return os.getpid()


def on_all_cores(
    timed: Sequence[Any], small: Sequence[Any], workers: int
) -> tuple[dict[str, Any], list[dict[str, list[float]]], list[dict[str, list[float]]]]:
    """Runs trained at once in processes of one thread each, as the package's own pool has them.

    Parameters
    ----------
    timed : what the rate is taken from; so many that no process is idle.
    small : trained after these.
    workers : how many processes.

    Returns
    -------
    The rate, and the quantities by epoch of the first runs and of the second.
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
