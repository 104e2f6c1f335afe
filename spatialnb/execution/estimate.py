"""How long it takes to make what is missing: said before, and held to afterwards.

A range for this machine. A few steps of each kind of run are tried, so an estimate knows neither
another machine nor an earlier day. The least is what the cores can do with nothing else to do; the
most is with the work that they have now, and with memory that all of them share.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spatialnb.config.run import Run
from spatialnb.execution.backend import Backend
from spatialnb.execution.cores import cores
from spatialnb.execution.planning import PairSpec, busy_until
from spatialnb.execution.stacking import divided
from spatialnb.registry import encode

KINDS = 6
"""Kinds of runs that are tried, those with the most epochs; others count as the slowest."""
START = (3.0, 15.0)
"""Seconds until workers have imported what they need, and the data are read."""
SHARED_MEMORY = 1.4
"""How much longer a step may take where other cores use the memory, too."""
BUSIEST = 3.0
"""How much longer other work makes it at most: more is not told from a load that just ends."""
ALIGNMENT = (5.0, 40.0)
"""Seconds of a pair whose hidden units are matched, which needs the data."""
OFF_BOUND, COMPILING = 5.0, 60.0
"""How far stacks may be from what their device copies and multiplies, and seconds until torch has
compiled what they need."""
NOTEBOOK = (3.0, 30.0)
"""Seconds of a chapter's notebook, its page and its tables."""
IGNORED = (
    "seed",
    "epochs",
    "learning_rate",
    "learning_rate_decay",
    "weight_decay",
    "positions",
    "permuted_pixels",
    "initialisation",
    "initial_std",
    "input_scaling",
)
"""Settings that an epoch takes no longer for."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Seconds, the least and the most, and what they are counted from."""

    least: float
    most: float
    counted: str

    def said(self) -> str:
        """The range, and what it is counted from."""
        return f"about {span(self.least, self.most)} on this machine ({self.counted})"

    def held(self, took: float) -> str:
        """How near it was to what it took, in seconds."""
        said = f"It took {span(took, took)}; the estimate was {span(self.least, self.most)}."
        if took > 1.05 * self.most:
            return f"{said} That is longer: the machine had more to do than it seemed."
        if took < 0.95 * self.least:
            return f"{said} That is shorter."
        return said


def of(
    todo: Sequence[Run],
    pairs: Sequence[PairSpec],
    backend: Backend,
    *,
    chapters: int = 0,
    load: float | None = None,
) -> Estimate | None:
    """How long this machine takes for these; None where it is another that trains.

    Parameters
    ----------
    todo : the runs to train.
    pairs : those to measure afterwards, one by one.
    backend : where runs are trained.
    chapters : whose notebooks are executed afterwards.
    load : how many other processes compute meanwhile; as the system says without it.
    """
    if not backend.on_this_machine:
        return None
    others = os.getloadavg()[0] if load is None else load
    here = cores()
    paired = {run.id for pair in pairs for run in pair[:2]}
    stacked, single, _ = divided(todo, paired) if backend.stacks else ([], list(todo), "")
    workers = min(backend.parallelism, max(len(single), 1))
    busy = min(max((workers + others) / here, 1.0), BUSIEST)
    seconds = busy_until(_seconds(single, backend.device), workers)
    least = seconds * max(1.0, workers / here)
    most = seconds * (SHARED_MEMORY if workers > 1 else 1.1) * max(busy, workers / here)
    if stacked:
        fewest, longest = _stacked(stacked, backend.device)
        least, most = least + fewest, most + longest * busy
    pair_least, pair_most = _pairs(pairs)
    least += (START[0] if todo else 0.0) + pair_least + chapters * NOTEBOOK[0]
    most += (START[1] if todo else 0.0) + pair_most * busy + chapters * NOTEBOOK[1]
    parts = [f"{sum(run.epochs for run in todo):,} epochs"]
    parts += [f"{len(stacked):,} runs in stacks"] if stacked else []
    parts += [f"{workers} at once on {here} cores"] if single and backend.device == "cpu" else []
    parts += [f"{len(pairs):,} pairs"] if pairs else []
    parts += [f"{others:.1f} other processes at work"] if others >= 0.5 else []
    return Estimate(least=least, most=most, counted=", ".join(parts))


def _stacked(runs: Sequence[Run], device: str) -> tuple[float, float]:
    """Seconds of stacks, the least and the most: not tried, since that would take long itself."""
    if device == "cpu":  # as the loop, in one process
        alone = sum(_seconds(runs, device))
        return 0.8 * alone, 1.5 * alone
    from spatialnb.execution import speed

    bound = speed.bounds_of_stacks(runs, device)
    return bound, OFF_BOUND * bound + COMPILING


def kind(run: Run) -> str:
    """The same for runs whose epochs take as long."""
    plain = {name: value for name, value in encode(run).items() if name not in IGNORED}
    plain["schedule"] = run.schedule != type(run)().schedule
    return str(plain)


def span(least: float, most: float) -> str:
    """A range of seconds in words, in the unit of the larger where the smaller is one or more."""
    seconds, unit, digits = _unit(most)
    low, high = round(least / seconds, digits), round(most / seconds, digits)
    if low == high:
        return f"{high:g} {unit}{'' if high == 1 else 's'}"
    if low < 1.0 and seconds > 1.0:
        return f"{span(least, least)} to {high:g} {unit}s"
    return f"{low:g} to {high:g} {unit}s"


def _unit(seconds: float) -> tuple[float, str, int]:
    """The unit for so many seconds: its own seconds, its name, and the digits that are said."""
    if seconds < 90.0:
        return 1.0, "second", 0
    return (60.0, "minute", 0) if seconds < 90.0 * 60.0 else (3600.0, "hour", 1)


def _seconds(todo: Sequence[Run], device: str) -> list[float]:
    """Seconds of each run by itself, from trying the kinds that have the most epochs."""
    from spatialnb.execution import speed  # here: what is recorded is counted without torch

    kinds = {run.id: kind(run) for run in todo}
    by_kind = Counter[str]()
    for run in todo:
        by_kind[kinds[run.id]] += speed.epochs(run)
    one = {kinds[run.id]: run for run in todo}
    found = {
        name: speed.seconds_of_an_epoch(one[name], device) for name, _ in by_kind.most_common(KINDS)
    }
    slowest = max(found.values(), default=0.0)
    return [found.get(kinds[run.id], slowest) * speed.epochs(run) for run in todo]


def _pairs(pairs: Sequence[PairSpec]) -> tuple[float, float]:
    """Seconds, the least and the most, to measure pairs of networks one after the other."""
    from spatialnb.execution import speed

    measures: dict[str, list[PairSpec]] = {}
    for pair in pairs:
        measures.setdefault(pair[2] if len(pair) > 2 else "similarity", []).append(pair)
    least = most = 0.0
    for measure, group in measures.items():
        one = speed.seconds_of_a_pair(group[0][0], group[0][1], measure)
        low, high = ALIGNMENT if one is None else (one, 1.5 * one)
        least, most = least + low * len(group), most + high * len(group)
    return least, most
