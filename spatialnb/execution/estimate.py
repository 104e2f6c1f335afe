"""Estimate how long the missing runs take on this machine, and compare with the time they took.

The estimate is a range, from timing a few steps of each kind of run here and now. The lower end
assumes otherwise idle cores; the upper end adds the current load and shared memory bandwidth.
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
"""How many kinds of runs are timed, those with the most epochs; others count as the slowest."""
START = (3.0, 15.0)
"""Seconds until workers have imported their modules and read the data."""
SHARED_MEMORY = 1.4
"""Slowdown of a step, at most, when other cores share the memory bandwidth."""
BUSIEST = 3.0
"""Largest slowdown assumed for other processes, since a high load may be about to end."""
ALIGNMENT = (5.0, 40.0)
"""Seconds for a pair whose hidden units are matched, which needs the data."""
OFF_BOUND, COMPILING = 5.0, 60.0
"""Factor by which stacks may be slower than the device's copy and matrix-product rates allow, and
seconds for torch to compile their code."""
NOTEBOOK = (3.0, 30.0)
"""Seconds for a chapter's notebook, its page and its tables."""
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
"""Settings that do not change the duration of an epoch."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The least and the most seconds, and what the estimate is based on, in words."""

    least: float
    most: float
    counted: str

    def said(self) -> str:
        """The range in words, and what it is based on."""
        return f"about {span(self.least, self.most)} on this machine ({self.counted})"

    def held(self, took: float) -> str:
        """Compare the estimate with the time taken, in seconds; a sentence."""
        said = f"It took {span(took, took)}; the estimate was {span(self.least, self.most)}."
        if took > 1.05 * self.most:
            return f"{said} That is longer: the machine was busier than expected."
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
    """Estimate the time for these runs and pairs; None if another machine trains.

    Parameters
    ----------
    todo : the runs to train.
    pairs : the pairs to measure afterwards, one by one.
    backend : where runs are trained.
    chapters : how many notebooks are executed afterwards.
    load : how many other processes compute at the same time; by default the system's load average.
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
    """The least and the most seconds for stacks; not timed, since that would itself take long."""
    if device == "cpu":  # about as fast as the loop, in one process
        alone = sum(_seconds(runs, device))
        return 0.8 * alone, 1.5 * alone
    from spatialnb.execution import speed

    bound = speed.bounds_of_stacks(runs, device)
    return bound, OFF_BOUND * bound + COMPILING


def kind(run: Run) -> str:
    """A key that is equal for runs whose epochs take equally long."""
    plain = {name: value for name, value in encode(run).items() if name not in IGNORED}
    plain["schedule"] = run.schedule != type(run)().schedule
    return str(plain)


def span(least: float, most: float) -> str:
    """A range of seconds in words, in the larger value's unit if the smaller one is at least 1."""
    seconds, unit, digits = _unit(most)
    low, high = round(least / seconds, digits), round(most / seconds, digits)
    if low == high:
        return f"{high:g} {unit}{'' if high == 1 else 's'}"
    if low < 1.0 and seconds > 1.0:
        return f"{span(least, least)} to {high:g} {unit}s"
    return f"{low:g} to {high:g} {unit}s"


def _unit(seconds: float) -> tuple[float, str, int]:
    """The unit for a duration: its length in seconds, its name, and the number of decimals."""
    if seconds < 90.0:
        return 1.0, "second", 0
    return (60.0, "minute", 0) if seconds < 90.0 * 60.0 else (3600.0, "hour", 1)


def _seconds(todo: Sequence[Run], device: str) -> list[float]:
    """Seconds of each run alone, from timing the kinds that have the most epochs."""
    from spatialnb.execution import speed  # here: counting recorded runs needs no torch

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
    """The least and the most seconds to measure pairs of networks one by one."""
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
