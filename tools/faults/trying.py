"""What fault injection is made of: trials with their results, processes, and damage."""

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
    """The tries of one fault: how many are wanted and made, counts, and what went wrong."""

    wanted: int
    chance: random.Random
    folder: Path
    times: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether to try again: until tried often enough, or too much has gone wrong."""
        return self.times < self.wanted and len(self.wrong) <= 20

    def tries(self) -> Iterator[int]:
        """Count the tries, from 1."""
        while self.goes_on:
            self.times += 1
            yield self.times

    def expect(self, holds: bool, otherwise: str) -> None:
        """Record `otherwise` as wrong unless the expectation holds."""
        if not holds:
            self.wrong.append(otherwise)

    def read_or_refuse(self, work: Callable[[], Any], said: str, *allowed: type[Exception]) -> Any:
        """The result of the work, or None after an allowed error; other errors count as wrong."""
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
    """A fault: how often to inject it, how often with ``--quick``, and the function that does."""

    times: int
    few: int
    work: Callable[[Trial], None]

    def words(self) -> tuple[str, str]:
        """The fault, and what must happen: the two parts of the function's docstring."""
        first, _, second = str(self.work.__doc__).partition("\n\n")
        return " ".join(first.split()).rstrip("."), " ".join(second.split()).rstrip(".")


FAULTS: dict[str, Fault] = {}
"""All faults by name, in the order of the results."""


def fault(times: int, few: int) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Decorator: register a function that injects a fault."""

    def keep(work: Callable[[Trial], None]) -> Callable[[Trial], None]:
        FAULTS[work.__name__] = Fault(times, few, work)
        return work

    return keep


# ── Processes that write into a store ───────────────────────────────────────────────────────────


def forked(work: Callable[[], object]) -> int:
    """Fork a silent process, in a separate group, that does the work; return its id."""
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
    """Do all the work at the same time, in one process each; return how they ended."""
    gate = get_context("fork").Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        gate.wait()
        work()

    children = [forked(functools.partial(begin, work)) for work in works]
    return [joined(child) for child in children]


def joined(child: int) -> int:
    """How a process ended: 0, the errno of an OSError, or a negative signal number."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Telling(Store):
    """A store that lists, in a file beside its folder, the runs that it has reported as written."""

    def add(self, record: Record) -> Path:
        """Write a record, then note its id."""
        path = super().add(record)
        if record.kind == "run":
            note(self.folders[0], "done", [record])
        return path


def note(place: Path, what: str, found: list[Any]) -> None:
    """Append ids to a file beside a store, unbuffered."""
    with place.with_suffix(f".{what}").open("ab", buffering=0) as file:
        file.write("".join(f"{one.id}\n" for one in found).encode())


def noted(place: Path, what: str) -> list[str]:
    """The ids that were noted."""
    log = place.with_suffix(f".{what}")
    return log.read_text("utf-8").split() if log.is_file() else []


def completes(
    place: Path, grid: list[Run], processes: int = 0, method: str = "fork"
) -> Callable[[], None]:
    """A function that completes a grid, with or without workers, and lists the runs it trains."""
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
    """The outcome of every run as text, trained here without faults."""
    return {run.id: canonical(loop.train(run).outcome) for run in grid}


def check_store(trial: Trial, place: Path, right: dict[str, str]) -> set[str]:
    """Check that all records are right, and that no reported one is lost; return their ids."""
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
    """Check that no partial file is left, and that the next start trains only what is missing."""
    there = check_store(trial, place, right)
    trial.expect(not list(place.rglob(".*.part")), "a file that was left behind")
    place.with_suffix(".asked").unlink(missing_ok=True)
    trial.expect(joined(forked(completes(place, GRID))) == 0, "the next start failed")
    exactly = sorted(noted(place, "asked")) == sorted(set(right) - there)
    trial.expect(exactly, "a start that did not train exactly what was missing")
    trial.expect(check_store(trial, place, right) == set(right), "a run that is missing")


def made(seed: int, accuracy: float = 0.5) -> Record:
    """A made-up record."""
    quantities = {"train_loss": [1.5, 0.1 + 0.2], "test_accuracy": [0.25, accuracy]}
    outcome = {"status": "finished", "epochs": quantities, "final": {"sparsity": {"overall": 0.6}}}
    told = {"commit": "0" * 40, "processor": "“x”", "padding": "x" * 3000}
    config = replace(BASE, seed=seed).to_dict()
    return Record(kind="run", config=config, outcome=outcome, provenance=told)


# ── Damage ──────────────────────────────────────────────────────────────────────────────────────


def mutant(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """Damage bytes as disks, networks and people do: flip, cut, replace, insert, splice or swap."""
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
    """Randomly omit or replace parts of plain data."""
    if chance.random() < 0.12:
        nothing: list[Any] = [None, True, -1, 10**30, 1e308, "", "x" * 50, [], {}, [[]], ["a"]]
        return chance.choice(nothing)
    if isinstance(data, dict):
        kept = [(key, value) for key, value in data.items() if chance.random() > 0.05]
        return {key: scrambled(value, chance) for key, value in kept}
    if isinstance(data, list):
        return [scrambled(item, chance) for item in data if chance.random() > 0.05]
    return data
