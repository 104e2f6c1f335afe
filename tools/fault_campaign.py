"""Break things on purpose, many times, and write down what came of it.

    python tools/fault_campaign.py                        # every fault; most of an hour
    python tools/fault_campaign.py --only kill --times 3  # one of them, a few times
    python tools/fault_campaign.py --quick                # all of them, a few times each

What is written, ``book/faults.json``, is what ``book/guarantees.md`` shows. A fault that this
machine does not allow (mounting takes root, on Linux) is left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import errno
import io
import json
import os
import platform
import random
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"  # a process that is forked below must have no threads
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spatialnb import parameters, provenance, rerun, runs, studies, training  # noqa: E402
from spatialnb.config import Run, canonical  # noqa: E402
from spatialnb.datasets import archive, cache, images, vision  # noqa: E402
from spatialnb.kernels import Exponential  # noqa: E402
from spatialnb.records import Record, RecordError, Store, read  # noqa: E402
from spatialnb.schedules import Static  # noqa: E402

OUT = ROOT / "book" / "faults.json"
PATIENCE = 120.0
BASE = Run(dataset="quick-colours", hidden=(12,), epochs=12, schedule=Static(kernel=Exponential()))
GRID = [replace(BASE, seed=seed) for seed in range(24)]
SHORT = [replace(BASE, seed=seed, epochs=2) for seed in range(24)]


class NotHereError(Exception):
    """A fault that this machine does not allow."""


@dataclass
class Tally:
    """How often a fault was tried, what came of it, and everything that should not have been."""

    times: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what should not have been."""
        if not holds:
            self.wrong.append(otherwise)


# ── What the faults have in common ──────────────────────────────────────────────────────────────


class Here(Executor):
    """Trains in this process, as soon as it is asked, and writes down what."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do the work now."""
        _note(self.log, arguments[0].id)
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class Telling(Store):
    """A store that writes down each record that it has reported as written."""

    log: Path

    def add(self, record: Record) -> Path:
        """Write a record, then say so."""
        path = super().add(record)
        _note(self.log, record.id)
        return path


def _note(log: Path, text: str) -> None:
    with log.open("ab", buffering=0) as file:
        file.write(f"{text}\n".encode())


def _noted(log: Path) -> list[str]:
    return log.read_text("utf-8").split() if log.is_file() else []


def _forked(work: Callable[[], object], quiet: bool = True) -> int:
    """The id of a new process, in a group of its own, that does the work."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        if quiet:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        work()
        code = 0
    except BaseException as error:
        code = error.errno or 1 if isinstance(error, OSError) else 1
    finally:
        os._exit(min(code, 250))


def _joined(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _reference(grid: list[Run]) -> dict[str, str]:
    """The outcome of every run, as text, trained here and undisturbed."""
    return {run.id: canonical(training.train(run).outcome) for run in grid}


def _check_store(folder: Path, right: dict[str, str], tally: Tally) -> set[str]:
    """Every record there is whole and right; the ids."""
    there = set()
    for path in sorted((folder / "runs").glob("*.json")):
        try:
            record = read(path)
        except (RecordError, OSError) as error:
            tally.wrong.append(f"a record that is not whole: {error}")
            continue
        tally.expect(canonical(record.outcome) == right[record.id], f"another result: {path.name}")
        there.add(record.id)
    tally.expect(not Store(folder).conflicts(), "two results for one configuration")
    return there


def _mutant(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """The bytes damaged in one of the ways that disks, networks and people have."""
    start = chance.randrange(len(whole) + 1)
    end = min(len(whole), start + chance.choice((1, 1, 4, 40, 512, len(whole))))
    junk = chance.choice((b"", bytes(end - start), chance.randbytes(end - start), whole[start:end]))
    match chance.randrange(6):
        case 0:
            changed = bytearray(whole)
            for _ in range(chance.choice((1, 1, 1, 2, 8))):
                changed[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
            return bytes(changed)
        case 1:
            return whole[:start]
        case 2:
            return whole[:start] + junk + whole[end:]
        case 3:
            return whole[:start] + junk + whole[start:]
        case 4:
            return whole[:start] + other[start:]
        case _:
            return other


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────


def kill(times: int, chance: random.Random, folder: Path) -> Tally:
    """Two workers train into one store; one of the processes, or all, are killed at any moment.

    Every fourth time the workers are started as `spatialnb train` starts them, otherwise as copies
    of this process, which takes seconds less.
    """
    tally, right, round_ = Tally(), _reference(GRID), 0
    fresh = True
    while tally.times < times:
        if fresh:
            round_ += 1
            place = folder / f"store{round_}"
            done = folder / f"done{round_}"
        fresh = _one_start(place, done, right, chance, tally)
        if len(tally.wrong) > 20:
            break
    tally.counts["stores filled to the end"] = round_ - 1
    return tally


def _one_start(
    place: Path, done: Path, right: dict[str, str], chance: random.Random, tally: Tally
) -> bool:
    """Start, kill, look; whether the grid is complete."""
    import psutil

    before = _check_store(place, right, tally)
    left = {run.id for run in GRID} - before
    if not left:
        return True
    asked = place.parent / "asked"
    asked.unlink(missing_ok=True)
    spawned = tally.times % 4 == 3
    trainer = psutil.Process(_forked(lambda: _train(place, done, asked, spawned)))
    ended = False
    while not ended:
        _watch(chance.uniform(0.0, 14.0 if spawned else 5.0), place, trainer.pid, tally)
        workers = _children(trainer)
        victim = chance.choice(("trainer", "worker", "all"))
        if victim == "worker" and not workers:
            victim = "all"
        if _is_over(trainer):
            break
        tally.times += 1
        tally.counts[f"{victim} killed"] += 1
        if victim == "worker":
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()
            ended = tally.counts["worker killed"] % 3 == 0
            if ended:
                _end_group(trainer.pid)
        else:
            if victim == "trainer":
                trainer.kill()
                if spawned:
                    gone = _soon(lambda below=workers: all(map(_is_over, below)))
                    tally.expect(gone, "workers that outlive their parent")
            _end_group(trainer.pid)
            ended = True
    code = _joined(trainer.pid)
    tally.expect(code in (0, -signal.SIGKILL), f"the training ended with code {code}")
    there = _check_store(place, right, tally)
    reported = _noted(done)
    tally.expect(set(reported) <= there, "a run that was reported done and is not recorded")
    tally.expect(len(reported) == len(set(reported)), "a recorded run that was trained again")
    if todo := _noted(asked):
        tally.counts["starts that trained exactly what was missing"] += set(todo) == left
        tally.expect(set(todo) == left, "a start that did not train exactly what was missing")
    tally.counts["records written, each right to the bit"] += len(there) - len(before)
    return len(there) == len(GRID)


def _train(place: Path, done: Path, asked: Path, spawned: bool) -> None:
    store = Telling(place)
    store.log = done
    train_all = runs._train_all

    def told(todo: list[Run], *rest: Any) -> None:
        for run in todo:
            _note(asked, run.id)
        train_all(todo, *rest)

    method = "spawn" if spawned else "fork"
    with (
        mock.patch.object(runs, "_train_all", told),
        mock.patch.object(runs, "get_context", return_value=get_context(method)),
    ):
        runs.complete(GRID, store=store, workers=2, progress=False)


def _watch(seconds: float, place: Path, trainer: int, tally: Tally) -> None:
    """Read what stands in the store while others write there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for record_id in Store(place).ids():
            try:
                Store(place).find(record_id)
                tally.counts["reads beside writers"] += 1
            except (RecordError, OSError) as error:
                tally.wrong.append(f"read beside a writer: {error}")
        time.sleep(min(0.1, max(0.0, end - time.monotonic())))


def _children(process: Any) -> list[Any]:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            one
            for one in process.children(recursive=True)
            if "resource_tracker" not in " ".join(one.cmdline())
        ]
    return []


def _is_over(process: Any) -> bool:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _soon(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def eight(times: int, chance: random.Random, folder: Path) -> Tally:
    """Eight processes are asked at once for grids that overlap."""
    tally, grid = Tally(), SHORT[:8]
    right = _reference(grid)
    for number in range(times):
        place = folder / str(number)
        asked = [chance.sample(grid, 6) for _ in range(8)]

        def complete(mine: list[Run], place: Path = place) -> None:
            log = place.with_suffix(".asked")
            runs.complete(mine, store=Store(place), executor=Here(log), progress=False)

        children = [_forked(lambda mine=mine: complete(mine)) for mine in asked]
        codes = [_joined(child) for child in children]
        tally.times += 1
        tally.expect(not any(codes), f"processes that ended with {codes}")
        wanted = {run.id for mine in asked for run in mine}
        tally.expect(_check_store(place, right, tally) == wanted, "a run that is missing")
        tally.expect(not list(place.rglob(".*.part")), "a file that was left behind")
        tally.counts["records"] += len(wanted)
    return tally


def two_results(times: int, chance: random.Random, folder: Path) -> Tally:
    """Eight processes write up to three different results of one configuration at once."""
    tally = Tally()
    for number in range(times):
        place = folder / str(number)
        results = [chance.randrange(3) for _ in range(8)]

        def write(value: int, place: Path = place) -> None:
            Store(place).add(_made(0, value / 10))

        children = [_forked(lambda value=value: write(value)) for value in results]
        codes = [_joined(child) for child in children]
        tally.times += 1
        store = Store(place)
        kept = [store.find(_made(0, 0.0).id), *(read(path) for path in store.conflicts())]
        values = [record.outcome["epochs"]["test_accuracy"][-1] for record in kept if record]
        tally.expect(sorted(values) == sorted({v / 10 for v in results}), "a result that is lost")
        quiet = sum(code == 0 for code in codes)
        first = sum(value / 10 == values[0] for value in results)
        tally.expect(quiet == first, "another result that was not reported")
    return tally


def _made(seed: int, accuracy: float = 0.5) -> Record:
    quantities = {"train_loss": [1.5, 0.1 + 0.2], "test_accuracy": [0.25, accuracy]}
    outcome = {"status": "finished", "epochs": quantities, "final": {"sparsity": {"overall": 0.6}}}
    told = {"commit": "0" * 40, "processor": "“x”", "padding": "x" * 3000}
    config = replace(BASE, seed=seed).to_dict()
    return Record(kind="run", config=config, outcome=outcome, provenance=told)


def killed_writer(times: int, chance: random.Random, folder: Path) -> Tally:
    """A process that does nothing but write records is killed; every second one without links."""
    tally = Tally()
    for number in range(times):
        place, log = folder / str(number), folder / f"{number}.log"
        linked = number % 2 == 0
        child = _forked(lambda place=place, log=log, linked=linked: _write(place, log, linked))
        if number % 5:  # else before it has begun
            _soon(log.is_file)
        time.sleep(chance.uniform(0.0, 0.02))
        _end_group(child)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _joined(child)
        tally.times += 1
        store = Store(place)
        for record_id in store.ids():
            try:
                store.find(record_id)
                tally.counts["records"] += 1
            except RecordError as error:
                tally.wrong.append(str(error))
        tally.expect(set(_noted(log)) <= store.ids(), "a record that was reported and is lost")
        tally.expect(bool(store.add(_made(10**6))), "a lock that a killed writer left")
        shutil.rmtree(place, ignore_errors=True)
    return tally


def _write(place: Path, log: Path, linked: bool) -> None:
    store = Telling(place)
    store.log = log

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    with contextlib.nullcontext() if linked else mock.patch.object(os, "link", refused):
        for seed in range(10_000):
            store.add(_made(seed))


def system_call(times: int, chance: random.Random, folder: Path) -> Tally:
    """A system call on the way of a record to the disk fails, with each of these errors."""
    tally = Tally()
    calls = ("fsync", "link", "chmod", "open", "unlink")
    codes = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM)
    codes += (errno.ENOTSUP, errno.EXDEV, errno.EMLINK)
    for number in range(times):
        place = folder / str(number)
        call, code, after = chance.choice(calls), chance.choice(codes), chance.randrange(3)
        real = getattr(os, call)

        def failing(*given: Any, _left: list[int] = [after], **named: Any) -> Any:  # noqa: B006
            _left[0] -= 1
            if _left[0] < 0:
                raise OSError(code, os.strerror(code))  # noqa: B023
            return real(*given, **named)  # noqa: B023

        failing.__defaults__ = None
        failing.__kwdefaults__ = {"_left": [after]}
        said = "written"
        with mock.patch.object(os, call, failing):
            try:
                Store(place).add(_made(number))
            except OSError:
                said = "refused"
        tally.times += 1
        tally.counts[said] += 1
        for path in place.rglob("*.json"):
            read(path)
        there = Store(place).find(_made(number).id)
        tally.expect(said == "refused" or there is not None, f"{call} {code}: lost and not said")
        left = list(place.rglob("*.part"))
        tally.expect(not left or call == "unlink", f"{call} {code}: {left}")
        tally.expect(Store(place).add(_made(number)).is_file(), "the next try")
        shutil.rmtree(place)
    return tally


@contextlib.contextmanager
def _mounted(place: Path, size: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHereError("mounting a small disk takes root, on Linux") from error
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


def full_disk(times: int, chance: random.Random, folder: Path) -> Tally:
    """The disk of the store is full before or in the middle; then there is room again."""
    tally, right = Tally(), _reference(SHORT)
    while tally.times < times:
        place, asked = folder / "disk", folder / "asked"
        asked.unlink(missing_ok=True)
        kilobytes = chance.choice((8, 32, *range(68, 93, 4)))  # 24 records need 96
        with _mounted(place, f"{kilobytes}k"):

            def complete(place: Path = place, asked: Path = asked) -> None:
                runs.complete(SHORT, store=Store(place), executor=Here(asked), progress=False)

            code = _joined(_forked(complete))
            there = _check_store(place, right, tally)
            tally.times += 1
            tally.expect(code == errno.ENOSPC, f"ended with {code} where the disk was full")
            before = kilobytes < 64
            tally.expect(not before or not _noted(asked), "trained for a disk that was full before")
            tally.counts["noticed before training" if before else "records kept"] += (
                1 if before else len(there)
            )
            tally.expect(not list(place.rglob(".*.part")), "a file that was left behind")
            asked.unlink(missing_ok=True)
            _remount(place, "size=8m")
            tally.expect(_joined(_forked(complete)) == 0, "the next start, with room")
            tally.expect(
                set(_noted(asked)) == {run.id for run in SHORT} - there,
                "a start that did not train exactly what was missing",
            )
            _check_store(place, right, tally)
    return tally


def read_only(times: int, chance: random.Random, folder: Path) -> Tally:
    """The store cannot be written: said before anything is trained."""
    tally = Tally()
    for _ in range(times):
        place, asked = folder / "disk", folder / "asked"
        with _mounted(place, "8m"):
            if chance.random() < 0.5:
                Store(place).add(_made(0))
            _remount(place, "ro")

            def complete(place: Path = place, asked: Path = asked) -> None:
                runs.complete(SHORT, store=Store(place), executor=Here(asked), progress=False)

            code = _joined(_forked(complete))
            tally.times += 1
            tally.expect(code == errno.EROFS, f"ended with {code}")
            tally.expect(not _noted(asked), "trained for a store that cannot be written")
    return tally


# ── Files that are read ─────────────────────────────────────────────────────────────────────────


def record_bytes(times: int, chance: random.Random, folder: Path) -> Tally:
    """A record with bytes flipped, cut, emptied, doubled, spliced or swapped with another's."""
    tally = Tally()
    store = Store(folder)
    path, others = store.add(_made(1)), [store.add(_made(seed)).read_bytes() for seed in (2, 3)]
    whole = path.read_bytes()
    while tally.times < times:
        damaged = _mutant(whole, chance.choice([*others, b"", b"\0" * 700]), chance)
        if damaged == whole:
            continue
        path.write_bytes(damaged)
        tally.times += 1
        try:
            read(path)
            tally.wrong.append(f"not noticed: {damaged!r}")
        except RecordError as error:
            tally.expect(str(path) in str(error) and "not used" in str(error), f"{error}")
    return tally


def forged_record(times: int, chance: random.Random, folder: Path) -> Tally:
    """A record of any JSON data, whose checksum and id fit: refused, or fit to be read."""
    from spatialnb import metrics

    tally, made = Tally(), _made(1)
    for _ in range(times):
        outcome = _scrambled(made.outcome, chance)
        config = _scrambled(made.config, chance) if chance.random() < 0.3 else made.config
        tally.times += 1
        try:
            forged = Record(kind="run", config=config, outcome=outcome, provenance={})
            text, name = forged.to_json(), forged.id
        except (TypeError, ValueError, AttributeError):
            continue
        path = folder / f"{name}.json"
        path.write_text(text, "utf-8")
        try:
            found = read(path)
            tally.counts["fit to be read"] += 1
            with contextlib.suppress(ValueError):  # NotRecordedError among them
                metrics.measure(found, chance.choice(("accuracy", "train_loss", "sparsity")))
            with contextlib.suppress(ValueError):
                assert found.run is not None
        except RecordError:
            tally.counts["refused"] += 1
        except Exception as error:
            tally.wrong.append(f"{type(error).__name__}: {error}: {text}")
        path.unlink()
    return tally


def _scrambled(data: Any, chance: random.Random) -> Any:
    """Plain data with parts of it replaced."""
    if chance.random() < 0.12:
        nothing: list[Any] = [None, True, -1, 10**30, 1e308, "", "x" * 50, [], {}, [[]], ["a"]]
        return chance.choice(nothing)
    if isinstance(data, dict):
        kept = [(key, value) for key, value in data.items() if chance.random() > 0.05]
        return {key: _scrambled(value, chance) for key, value in kept}
    if isinstance(data, list):
        return [_scrambled(item, chance) for item in data if chance.random() > 0.05]
    return data


def manifest(times: int, chance: random.Random, folder: Path) -> Tally:
    """The manifest of a re-run, damaged or scrambled."""
    tally = Tally()
    given = {"seeds": [0, 1], "epochs": 2, "lr": 0.01, "dataset": "quick-digits"}
    given["arms"] = {"k = 5": {"kind": "exponential", "k": 5}}
    whole = {"format": rerun.FORMAT, "chapters": {"v01": given, "v03": {"definitions": ["a.py"]}}}
    text = json.dumps(whole, indent=2).encode()
    for number in range(times):
        damaged = _mutant(text, b'{"format": "spatialnb-rerun/1"}' * 3, chance)
        if number % 2:
            damaged = json.dumps(_scrambled(whole, chance)).encode()
        (folder / rerun.MANIFEST).write_bytes(damaged)
        tally.times += 1
        _only(
            tally,
            (ValueError, OSError),
            lambda: rerun.load(folder, studies.get),
            repr(damaged),
        )
    return tally


def _only(tally: Tally, allowed: tuple[type[Exception], ...], work: Any, said: str) -> Any:
    """What the work gives, or None where it raises what it may; everything else is noted."""
    try:
        found = work()
    except allowed:
        tally.counts["refused"] += 1
        return None
    except Exception as error:
        tally.wrong.append(f"{type(error).__name__}: {error}: {said[:300]}")
        return None
    tally.counts["read"] += 1
    return found


def archives(times: int, chance: random.Random, folder: Path) -> Tally:
    """Archives with damaged bytes: refused, or read as far as the count and digest look next."""
    tally = Tally()
    files = {f"top/{name}": chance.randbytes(300) for name in "abcdef"}
    wholes = {suffix: _packed(files, suffix) for suffix in (".tar", ".tar.gz", ".tar.xz", ".zip")}
    wholes[".tar.bz2"] = _packed(files, ".tar.bz2")
    for _ in range(times):
        suffix = chance.choice(list(wholes))
        other = wholes[chance.choice(list(wholes))]
        path = folder / f"one{suffix}"
        path.write_bytes(_mutant(wholes[suffix], other, chance))
        tally.times += 1

        def read_all(path: Path = path) -> int:
            return sum(len(member.read()) for member in archive.members(path))

        _only(tally, (ValueError,), read_all, suffix)
    tally.expect(
        sorted(path.name for path in folder.iterdir()) == sorted(f"one{s}" for s in wholes)
        or times < 20,
        "something was unpacked",
    )
    return tally


def _packed(files: dict[str, bytes], suffix: str) -> bytes:
    stream = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
    else:
        kind = suffix.removeprefix(".tar").removeprefix(".")
        with tarfile.open(fileobj=stream, mode=f"w:{kind}") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def idx(times: int, chance: random.Random, folder: Path) -> Tally:
    """MNIST's files with lying headers or damaged bytes, their MD5s left out of the way."""
    tally = Tally()
    good = {}
    for stem, count in (("train", 6), ("t10k", 3)):
        pixels, labels = chance.randbytes(count * 784), bytes(n % 10 for n in range(count))
        good[f"{stem}-images-idx3-ubyte"] = struct.pack(">IIII", 2051, count, 28, 28) + pixels
        good[f"{stem}-labels-idx1-ubyte"] = struct.pack(">II", 2049, count) + labels
    for _ in range(times):
        for name, content in good.items():
            (folder / name).write_bytes(content)
        name = chance.choice(list(good))
        content, other = good[name], good[chance.choice(list(good))]
        if chance.random() < 0.5:  # the header alone
            head = bytearray(content[:16])
            head[chance.randrange(len(head))] = chance.randrange(256)
            damaged = bytes(head) + content[16:]
        else:
            damaged = _mutant(content, other, chance)
        (folder / name).write_bytes(damaged)
        tally.times += 1
        found = _only(tally, (ValueError,), lambda: vision.mnist(folder), repr(damaged[:20]))
        if found is not None:
            for split in ("train", "test"):
                same = len(found[f"{split}.x"]) == len(found[f"{split}.y"])
                tally.expect(same, f"{split}: images and labels differ in number")
    return tally


def jpegs(times: int, chance: random.Random, folder: Path) -> Tally:
    """JPEG files with damaged bytes."""
    from PIL import Image

    tally, stream = Tally(), io.BytesIO()
    Image.frombytes("RGB", (32, 32), chance.randbytes(3072)).save(stream, "JPEG")
    whole = stream.getvalue()
    big = io.BytesIO()
    Image.new("RGB", (64, 48)).save(big, "JPEG")
    for _ in range(times):
        damaged = _mutant(whole, chance.choice((big.getvalue(), b"GIF89a" * 20)), chance)
        tally.times += 1
        found = _only(
            tally, (ValueError,), lambda d=damaged: images._decode("x.jpg", d, (32, 32)), "jpeg"
        )
        tally.expect(found is None or found.shape == (32, 32, 3), "another shape")
    return tally


def caches(times: int, chance: random.Random, folder: Path) -> Tally:
    """A decoded data set and kept weights with damaged bytes: made anew, never used."""
    import torch

    tally, key = Tally(), {"edition": "x", "source": "y"}
    tensors = {"train.x": torch.arange(600, dtype=torch.uint8), "mean": torch.ones(3)}
    path = folder / "x.safetensors"
    cache.write(path, key, tensors, "0" * 64)
    whole = path.read_bytes()
    weights = {name: runs._packed_weights(name, {"0": torch.rand(9, 9)}) for name in ("a", "b")}
    with mock.patch.object(runs, "weights_path", lambda name: folder / f"{name}.kept"):
        (folder / "a.kept").write_bytes(weights["a"])
        tally.expect(runs._kept_weights("a") is not None, "whole weights that are not read")
        for number in range(times):
            tally.times += 1
            if number % 2:
                damaged = _mutant(whole, weights["a"], chance)
                path.write_bytes(damaged)
                found: Any = _only(tally, (), lambda: cache.read(path, key), "cache")
                tally.expect(damaged == whole or found is None, "a damaged cache that was used")
            else:
                damaged = _mutant(weights["a"], weights["b"], chance)
                (folder / "a.kept").write_bytes(damaged)
                found = _only(tally, (), lambda: runs._kept_weights("a"), "weights")
                tally.expect(damaged == weights["a"] or found is None, "damaged weights, used")
    tally.counts.clear()
    return tally


HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "nan",
    "NaN",
    "Infinity",
    "-1e999",
    "1e999",
    "0-999999999",
    "0-" + "9" * 400,
    "9" * 5000,
    "[" * 20_000,
    "{" * 20_000,
    "(" * 200,
    "../../etc/passwd",
    "__import__('os').system('x')",
    "[0, 0]",
    "0,0",
    "\0",
    "\u202e",
    "\ud800",
    "[1e5]",
    "true",
    "null",
    "",
    "'" * 99,
    '{"a": 1}',
    '{"\\n": {"kind": "linear"}}',
    "[[1]]",
    "-1",
    "0x10",
    "1_000",
    "٣",
)


def given(times: int, chance: random.Random, folder: Path) -> Tally:
    """Parameters of a chapter that are hostile or senseless: taken as what they are, or refused."""
    tally = Tally()
    study = studies.get("v01")
    values: list[Any] = [*HOSTILE, float("nan"), float("inf"), -1, 0, 10**30, True, None, b"x"]
    values += [range(10**9), [10**9] * 20_000, {"a": {}}, object(), [[]], [None], ["0"], {1, 2}]
    for _ in range(times):
        name = chance.choice([*parameters.PARAMETERS, "seed", "store"])
        if name == "definitions":
            continue
        value = chance.choice(values)
        if isinstance(value, str) and chance.random() < 0.5:
            value = _mutant(value.encode("utf-8", "replace") + b" ", b"0-9,", chance).decode(
                "utf-8", "replace"
            )
        tally.times += 1

        def plan(name: str = name, value: Any = value) -> Any:
            return rerun.plan(study, parameters.checked({name: value}))

        found = _only(tally, (ValueError,), plan, f"{name}={value!r:.80}")
        if found is not None:
            tally.expect(len(found.configs) < 10**6, f"{name}={value!r:.80}: a huge grid")
    return tally


# ── All of them ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fault:
    """A way to break something: in words, how often, a few times, and what must come of it."""

    words: str
    must: str
    times: int
    few: int
    work: Callable[[int, random.Random, Path], Tally]


FAULTS = {
    "kill": Fault(
        "kill −9 at random moments of a training with two workers: the training, a worker, or all",
        "every record whole and right, none that was reported is lost, the next start trains "
        "exactly what is missing",
        200,
        3,
        kill,
    ),
    "killed_writer": Fault(
        "kill −9 of a process that writes one record after another, half of them without links",
        "every record whole, none that was reported is lost, the next writer is not held up",
        300,
        20,
        killed_writer,
    ),
    "full_disk": Fault(
        "a disk that is full before, or fills up in the middle",
        "an error that names the file; nothing half-written; with room again, exactly the rest",
        12,
        2,
        full_disk,
    ),
    "read_only": Fault(
        "a store on a disk that is mounted read-only",
        "an error before anything is trained",
        10,
        1,
        read_only,
    ),
    "system_call": Fault(
        "a system call on a record's way to the disk fails: sync, link, rename, open, unlink",
        "the record is written, or an error says that it is not; the next try succeeds",
        1000,
        60,
        system_call,
    ),
    "eight": Fault(
        "eight processes asked at once for grids that overlap",
        "one record a run, all agree",
        8,
        1,
        eight,
    ),
    "two_results": Fault(
        "eight processes with up to three different results of one configuration",
        "the first is used, each other is kept beside it and reported",
        200,
        10,
        two_results,
    ),
    "record_bytes": Fault(
        "a record damaged, cut, emptied, or swapped with another",
        "refused, with its name and what to do",
        20_000,
        500,
        record_bytes,
    ),
    "forged_record": Fault(
        "a record of scrambled content whose checksum fits",
        "refused, or fit to be read",
        10_000,
        300,
        forged_record,
    ),
    "manifest": Fault(
        "a re-run's manifest damaged or scrambled", "one clear error", 800, 150, manifest
    ),
    "archives": Fault(
        "a tar or zip archive with damaged bytes",
        "a clear error, or its files as they are, for the digest to refuse; nothing unpacked",
        10_000,
        300,
        archives,
    ),
    "idx": Fault(
        "an IDX file with a lying header or damaged bytes, its MD5 not asked",
        "a clear error, or as many images as labels",
        4000,
        100,
        idx,
    ),
    "jpegs": Fault(
        "a JPEG file with damaged bytes, its digest not asked",
        "a clear error, or an image of the right size",
        10_000,
        300,
        jpegs,
    ),
    "caches": Fault(
        "a decoded data set, or a run's kept weights, with damaged bytes",
        "not used, made anew",
        4000,
        200,
        caches,
    ),
    "given": Fault(
        "hostile or senseless parameters of a chapter",
        "a clear error, or a plan of sensible size",
        2000,
        500,
        given,
    ),
}
"""Every fault by name."""


def row(name: str, times: int, seed: int) -> dict[str, Any]:
    """Try one fault, in a folder of its own; how often, and what came of it."""
    fault = FAULTS[name]
    plain = {"key": name, "fault": fault.words, "must": fault.must}
    plain |= {
        "commit": provenance.commit(),
        "date": str(datetime.datetime.now(datetime.UTC).date()),
    }
    with tempfile.TemporaryDirectory(prefix="spatialnb-faults-") as folder:
        started = time.perf_counter()
        try:
            tally = fault.work(times, random.Random(f"{name} {seed}"), Path(folder))
        except NotHereError as error:
            return {**plain, "times": 0, "wrong": 0, "left_out": str(error)}
    for one in tally.wrong[:10]:
        print(f"  WRONG: {one}", flush=True)
    return {
        **plain,
        "times": tally.times,
        "wrong": len(tally.wrong),
        "counts": dict(sorted(tally.counts.items())),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> int:
    """Try every fault that is asked for; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(FAULTS), action="append", help="this fault")
    parser.add_argument("--times", type=int, help="so often, in place of its own number")
    parser.add_argument("--quick", action="store_true", help="a few times each")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other damage")
    parser.add_argument("--out", type=Path, help=f"the record of it [default: {OUT.name}]")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as kept:
        os.environ.setdefault("SPATIALNB_CACHE", kept)
        for name in asked.only or FAULTS:
            fault = FAULTS[name]
            found = row(
                name, asked.times or (fault.few if asked.quick else fault.times), asked.seed
            )
            rows.append(found)
            print(f"{found['times']:>6} × {name}: {found['wrong']} wrong", end="")
            print(f"  {found.get('counts', found.get('left_out', ''))}", flush=True)
    out = asked.out or (None if asked.only or asked.quick else OUT)
    if out is not None:
        _keep(out, rows, asked.seed, whole=not asked.only)
    return int(any(found["wrong"] for found in rows))


def _keep(out: Path, rows: list[dict[str, Any]], seed: int, whole: bool) -> None:
    """Write the rows down; those of single faults into the record that is there."""
    if not whole and out.is_file():
        new = {found["key"]: found for found in rows}
        old = {found["key"]: found for found in json.loads(out.read_text("utf-8"))["rows"]}
        rows = [{**old, **new}[name] for name in FAULTS if name in {**old, **new}]
    told = {
        "format": "spatialnb-faults/1",
        "seed": seed,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: provenance.versions()[name] for name in ("python", "torch")},
        "rows": rows,
    }
    out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
