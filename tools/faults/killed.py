"""kill −9 during training, of workers, and of processes that write records."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import psutil

from spatialnb.records.store import RecordError, Store
from tools.faults import trying
from tools.faults.trying import Trial, check_store, fault, joined, made, noted

LONG = [replace(run, epochs=12) for run in trying.GRID]
PATIENCE = 120.0  # seconds within which a killed process must be gone


@fault(times=200, few=3)
def kill(trial: Trial) -> None:
    """Kill −9 at a random moment of training: the main process, one of its two workers, or all.

    Every record is complete and correct, no reported record is lost, and the next start trains
    exactly the missing runs.
    """
    # Killed trainings fill one store after another.
    right, filled = trying.undisturbed(LONG), 0
    while trial.goes_on:
        filled += _start(trial, trial.folder / f"store{filled}", right)
    trial.counts["stores filled to the end"] = filled


def _start(trial: Trial, place: Path, right: dict[str, str]) -> bool:
    """Start training, kill it, and check the store; return whether the grid is complete.

    Every fourth time, workers are started as `spatialnb train` starts them. Otherwise they are
    forked from this process, which is seconds faster.
    """
    before = check_store(trial, place, right)
    if before == set(right):
        return True
    place.with_suffix(".asked").unlink(missing_ok=True)
    spawned = trial.times % 4 == 3
    method = "spawn" if spawned else "fork"
    training = trying.completes(place, LONG, processes=2, method=method)
    trainer = psutil.Process(trying.forked(training))
    while not _is_over(trainer):
        _watch(trial, place, trial.chance.uniform(0.0, 14.0 if spawned else 5.0))
        if not _is_over(trainer):
            _kill_one(trial, trainer, spawned)
    code = joined(trainer.pid)
    trial.expect(code in (0, -signal.SIGKILL), f"the training ended with code {code}")
    there, reported = check_store(trial, place, right), noted(place, "done")
    trial.expect(len(reported) == len(set(reported)), "a recorded run that was trained again")
    if todo := noted(place, "asked"):
        exactly = set(todo) == set(right) - before
        trial.counts["starts that trained exactly what was missing"] += exactly
        trial.expect(exactly, "a start that did not train exactly what was missing")
    trial.counts["records written, each right to the bit"] += len(there) - len(before)
    return there == set(right)


def _kill_one(trial: Trial, trainer: psutil.Process, spawned: bool) -> None:
    """Kill the trainer, a worker, or all; every third kill of a worker is followed by all."""
    workers = _workers(trainer)
    victim = trial.chance.choice(("trainer", "worker", "all"))
    if victim == "worker" and not workers:
        victim = "all"
    trial.times += 1
    trial.counts[f"{victim} killed"] += 1
    if victim == "worker":
        with contextlib.suppress(psutil.NoSuchProcess):
            trial.chance.choice(workers).kill()
        if trial.counts["worker killed"] % 3:
            return
    elif victim == "trainer":
        trainer.kill()
        if spawned:
            gone = _soon(lambda: all(map(_is_over, workers)))
            trial.expect(gone, "workers that outlive their parent")
    _end_group(trainer.pid)
    _soon(lambda: _is_over(trainer))


def _watch(trial: Trial, place: Path, seconds: float) -> None:
    """Read the records in the store while other processes write them."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _read_all(trial, Store(place), "reads beside writers")
        time.sleep(min(0.1, max(0.0, end - time.monotonic())))


def _read_all(trial: Trial, store: Store, what: str) -> None:
    for record_id in store.ids():
        try:
            trial.counts[what] += store.find(record_id) is not None
        except (RecordError, OSError) as error:
            trial.wrong.append(f"{error}")


def _workers(trainer: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        every = trainer.children(recursive=True)
        return [one for one in every if "resource_tracker" not in " ".join(one.cmdline())]
    return []


def _is_over(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def _end_group(leader: int) -> None:
    for end in (os.killpg, os.kill):  # a child that has just started does not lead a group yet
        with contextlib.suppress(ProcessLookupError):
            end(leader, signal.SIGKILL)


def _soon(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(0.002)
    return holds()


@fault(times=300, few=20)
def killed_writer(trial: Trial) -> None:
    """Kill −9 of a process that writes record after record, with and without hard links.

    Every record is complete, no reported record is lost, and the next writer is not blocked.
    """
    # Every fifth process is killed before it has started to write.
    for number in trial.tries():
        place = trial.folder / str(number)
        child = trying.forked(lambda: _write(place, linked=number % 2 == 0))  # noqa: B023
        if number % 5:
            _soon(lambda: bool(noted(place, "done")))  # noqa: B023
        time.sleep(trial.chance.uniform(0.0, 0.02))
        _end_group(child)
        joined(child)
        store = Store(place)
        _read_all(trial, store, "records")
        trial.expect(set(noted(place, "done")) <= store.ids(), "reported, and lost")
        trial.expect(bool(store.add(made(10**6))), "a lock that a killed writer left")
        shutil.rmtree(place, ignore_errors=True)


def _write(place: Path, linked: bool) -> None:
    refused = mock.patch.object(os, "link", side_effect=OSError(errno.EPERM, "no links"))
    with contextlib.nullcontext() if linked else refused:
        for seed in range(10_000):
            trying.Telling(place).add(made(seed))
