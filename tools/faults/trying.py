"""What the faults share: how often one is tried, what came of it, and ways to break things."""

from __future__ import annotations

import functools
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from spatialnb.config.run import Run, canonical
from spatialnb.execution import process_pool, recording, runs
from spatialnb.execution.backend import Backend
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record, RecordError, Store, read
from spatialnb.training import loop

BASE = Run(dataset="quick-colours", hidden=(12,), epochs=2, schedule=Static(kernel=Exponential()))
GRID = [replace(BASE, seed=seed) for seed in range(24)]


@dataclass
class Trial:
    """One fault: how often it is to be tried and was, and everything that should not have been."""

    wanted: int
    chance: random.Random
    folder: Path
    times: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Not tried often enough; what is broken through and through need not go on."""
        return self.times < self.wanted and len(self.wrong) <= 20

    def tries(self) -> Iterator[int]:
        """A number for each try."""
        while self.goes_on:
            self.times += 1
            yield self.times

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what should not have been."""
        if not holds:
            self.wrong.append(otherwise)

    def read_or_refuse(self, work: Callable[[], Any], said: str, *allowed: type[Exception]) -> Any:
        """What the work gives, or None where it raises what it may; everything else is wrong."""
        try:
            found = work()
        except allowed:
            self.counts["refused"] += 1
            return None
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}: {said[:300]}")
            return None
        self.counts["read"] += 1
        return found


class Fault(NamedTuple):
    """A way to break something: how often to try it, a few times, and what tries it."""

    times: int
    few: int
    work: Callable[[Trial], None]

    def words(self) -> tuple[str, str]:
        """The fault, and what must come of it: the two parts of the docstring."""
        first, _, second = str(self.work.__doc__).partition("\n\n")
        return " ".join(first.split()).rstrip("."), " ".join(second.split()).rstrip(".")


FAULTS: dict[str, Fault] = {}
"""Every fault by name, in the order of the record."""


def fault(times: int, few: int) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Decorator: the function tries a fault."""

    def keep(work: Callable[[Trial], None]) -> Callable[[Trial], None]:
        FAULTS[work.__name__] = Fault(times, few, work)
        return work

    return keep


# ── Processes that write into a store ───────────────────────────────────────────────────────────


def forked(work: Callable[[], object]) -> int:
    """The id of a new process, in a group of its own, that does the work and says nothing."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        work()
        code = 0
    except OSError as error:
        code = error.errno or 1
    finally:
        os._exit(code)


def at_once(works: list[Callable[[], object]]) -> list[int]:
    """How processes end that begin their work at the same moment."""
    gate = get_context("fork").Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        gate.wait()
        work()

    children = [forked(functools.partial(begin, work)) for work in works]
    return [joined(child) for child in children]


def joined(child: int) -> int:
    """How a process ended: 0, the number of an OSError, or less than 0 for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Telling(Store):
    """A store that writes down, beside its folder, each run that it has reported as written."""

    def add(self, record: Record) -> Path:
        """Write a record, then say so."""
        path = super().add(record)
        if record.kind == "run":
            note(self.folders[0], "done", [record])
        return path


def note(place: Path, what: str, found: list[Any]) -> None:
    """Write ids down beside a store, at once."""
    with place.with_suffix(f".{what}").open("ab", buffering=0) as file:
        file.write("".join(f"{one.id}\n" for one in found).encode())


def noted(place: Path, what: str) -> list[str]:
    """The ids that were written down."""
    log = place.with_suffix(f".{what}")
    return log.read_text("utf-8").split() if log.is_file() else []


def completes(
    place: Path, grid: list[Run], processes: int = 0, method: str = "fork"
) -> Callable[[], None]:
    """Work that completes a grid, with workers or without, and notes what it does."""
    train = recording._train

    def told(todo: list[Run], *rest: Any) -> None:
        note(place, "asked", todo)
        train(todo, *rest)

    def complete() -> None:
        with (
            ThreadPoolExecutor(1) as here,
            mock.patch.object(recording, "_train", told),
            mock.patch.object(process_pool, "get_context", return_value=get_context(method)),
        ):
            backend: Backend = ExecutorBackend(here)
            if processes:
                backend = ProcessPool(workers=processes)
            runs.complete(grid, store=Telling(place), backend=backend, progress=False)

    return complete


def undisturbed(grid: list[Run]) -> dict[str, str]:
    """The outcome of every run, as text, trained here and undisturbed."""
    return {run.id: canonical(loop.train(run).outcome) for run in grid}


def check_store(trial: Trial, place: Path, right: dict[str, str]) -> set[str]:
    """Every record is whole and right, and what was reported is there, once; the ids."""
    there = set()
    for path in sorted((place / "runs").glob("*.json")):
        try:
            record = read(path)
        except (RecordError, OSError) as error:
            trial.wrong.append(f"a record that is not whole: {error}")
            continue
        trial.expect(canonical(record.outcome) == right[record.id], f"another result: {path.name}")
        there.add(record.id)
    trial.expect(not Store(place).conflicts(), "two results for one configuration")
    trial.expect(set(noted(place, "done")) <= there, "reported as recorded, and lost")
    return there


def check_next_start(trial: Trial, place: Path, right: dict[str, str]) -> None:
    """Nothing half-written is left; with the fault gone, what is missing of GRID is trained."""
    there = check_store(trial, place, right)
    trial.expect(not list(place.rglob(".*.part")), "a file that was left behind")
    place.with_suffix(".asked").unlink(missing_ok=True)
    trial.expect(joined(forked(completes(place, GRID))) == 0, "the next start failed")
    exactly = sorted(noted(place, "asked")) == sorted(set(right) - there)
    trial.expect(exactly, "a start that did not train exactly what was missing")
    trial.expect(check_store(trial, place, right) == set(right), "a run that is missing")


def made(seed: int, accuracy: float = 0.5) -> Record:
    """A record that nothing was trained for."""
    quantities = {"train_loss": [1.5, 0.1 + 0.2], "test_accuracy": [0.25, accuracy]}
    outcome = {"status": "finished", "epochs": quantities, "final": {"sparsity": {"overall": 0.6}}}
    told = {"commit": "0" * 40, "processor": "“x”", "padding": "x" * 3000}
    config = replace(BASE, seed=seed).to_dict()
    return Record(kind="run", config=config, outcome=outcome, provenance=told)


# ── Damage ──────────────────────────────────────────────────────────────────────────────────────


def mutant(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """The bytes damaged in one of the ways that disks, networks and people have."""
    start = chance.randrange(len(whole) + 1)
    end = min(len(whole), start + chance.choice((1, 1, 4, 40, 512, len(whole))))
    junk = chance.choice((b"", bytes(end - start), chance.randbytes(end - start), whole[start:end]))
    flipped = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        flipped[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
    cut, put_over = whole[:start], whole[:start] + junk + whole[end:]
    put_in, spliced = whole[:start] + junk + whole[start:], whole[:start] + other[start:]
    return chance.choice((bytes(flipped), cut, put_over, put_in, spliced, other))


def scrambled(data: Any, chance: random.Random) -> Any:
    """Plain data with parts of it left out or replaced."""
    if chance.random() < 0.12:
        nothing: list[Any] = [None, True, -1, 10**30, 1e308, "", "x" * 50, [], {}, [[]], ["a"]]
        return chance.choice(nothing)
    if isinstance(data, dict):
        kept = [(key, value) for key, value in data.items() if chance.random() > 0.05]
        return {key: scrambled(value, chance) for key, value in kept}
    if isinstance(data, list):
        return [scrambled(item, chance) for item in data if chance.random() > 0.05]
    return data
