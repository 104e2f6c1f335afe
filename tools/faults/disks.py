"""Disks that are full, read-only, or fail."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from spatialnb.records.store import Store, read
from tools.faults import trying
from tools.faults.trying import GRID, Trial, check_store, fault, joined, made, noted

NAMES = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EACCES", "EPERM", "ENOTSUP", "EXDEV", "EMLINK")
ERRORS = [getattr(errno, name) for name in NAMES]


def _completed(place: Path) -> int:
    return joined(trying.forked(trying.completes(place, GRID)))


@contextlib.contextmanager
def _mounted(place: Path, size: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    for log in place.parent.glob(f"{place.name}.*"):
        log.unlink()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotImplementedError("mounting a small disk needs root on Linux") from error
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


@fault(times=12, few=2)
def full_disk(trial: Trial) -> None:
    """A disk that is full from the start, or fills up during training.

    The error names the file, and nothing is left half-written. With free space again, the next
    start trains exactly the missing runs.
    """
    # A disk of random size for the records of 24 runs, which need 96 KiB.
    right, place = trying.undisturbed(GRID), trial.folder / "disk"
    for _ in trial.tries():
        kilobytes = trial.chance.choice((8, 32, *range(68, 93, 4)))
        with _mounted(place, f"{kilobytes}k"):
            code = _completed(place)
            trial.expect(code == errno.ENOSPC, f"ended with {code} where the disk was full")
            if kilobytes < 64:  # too small for the check of free space
                trial.counts["noticed before training"] += 1
                trial.expect(not noted(place, "asked"), "trained for a disk that was full before")
            else:
                trial.counts["records kept"] += len(check_store(trial, place, right))
            _remount(place, "size=8m")
            trying.check_next_start(trial, place, right)


@fault(times=10, few=1)
def read_only(trial: Trial) -> None:
    """A store on a disk that is mounted read-only.

    There is an error before anything is trained.
    """
    place = trial.folder / "disk"
    for _ in trial.tries():
        with _mounted(place, "8m"):
            if trial.chance.random() < 0.5:
                Store(place).add(made(0))
            _remount(place, "ro")
            code = _completed(place)
            trial.expect(code == errno.EROFS, f"ended with {code}")
            trial.expect(not noted(place, "asked"), "trained for a store that cannot be written")


def _failing(call: str, code: int, after: int = 0) -> Any:
    """Patch a system call to fail with this error, except for the first `after` calls."""
    real, left = getattr(os, call), [after]

    def failing(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        return real(*given, **named)

    return mock.patch.object(os, call, failing)


@fault(times=100, few=3)
def rename(trial: Trial) -> None:
    """A rename that fails during training, on a disk without hard links.

    There is an error, nothing is left half-written, and no reported record is lost. The next start
    trains exactly the missing runs.
    """
    # Any of the renames, from the first to the last.
    right = trying.undisturbed(GRID)
    for number in trial.tries():
        place, code = trial.folder / str(number), trial.chance.choice(ERRORS)
        after = trial.chance.randrange(2 * len(GRID))  # answers, then the run
        with _failing("link", errno.EPERM), _failing("rename", code, after):
            ended = _completed(place)
        trial.expect(ended == code, f"ended with {ended} where a rename failed with {code}")
        there = check_store(trial, place, right)
        trial.expect(len(there) == after // 2, f"{len(there)} records after {after} renames")
        trial.counts["records kept"] += len(there)
        trying.check_next_start(trial, place, right)


@fault(times=1000, few=60)
def system_call(trial: Trial) -> None:
    """A system call that fails while a record is written: sync, link, rename, chmod, open, unlink.

    The record is written, or an error says that it is not. The next try succeeds.
    """
    # The first, second or third call fails, with one of nine errors. Half of the tries have no hard
    # links.
    for number in trial.tries():
        place, code = trial.folder / str(number), trial.chance.choice(ERRORS)
        call = trial.chance.choice(("fsync", "link", "rename", "chmod", "open", "unlink"))
        after = 0 if call == "rename" else trial.chance.randrange(3)  # a record has one rename
        linked = call == "link" or (call != "rename" and number % 2 == 0)
        no_links = contextlib.nullcontext() if linked else _failing("link", errno.EPERM)
        said = "written"
        with no_links, _failing(call, code, after):
            try:
                Store(place).add(made(number))
            except OSError:
                said = "refused"
        trial.counts[said] += 1
        what = f"{call} {errno.errorcode[code]}{'' if linked else ' without links'}"
        for path in place.rglob("*.json"):
            read(path)
        there = Store(place).find(made(number).id)
        trial.expect(said == "refused" or there is not None, f"{what}: lost and not said")
        trial.expect(said == "refused" or call != "rename", f"{what}: not said")
        left = list(place.rglob("*.part"))
        trial.expect(not left or call == "unlink", f"{what}: {left}")
        trial.expect(Store(place).add(made(number)).is_file(), f"{what}: the next try")
        shutil.rmtree(place)
