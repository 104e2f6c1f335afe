"""Find runs and pairs that are not recorded yet, and estimate their time, without torch."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spatialnb.config.run import RECIPE, SCHEMA, Run, digest
from spatialnb.records.store import Store, default_store

PairSpec = tuple[Run, Run] | tuple[Run, Run, str]
"""Arguments of a :class:`Pair`: two runs, and a measure if it is not similarity."""
SAMPLE = 9
"""The time of a run is the median over this many similar runs."""
LOOKED_AT = 2000
"""How many records of a folder are searched for similar runs. File names are hashes, so the first
ones are a random sample."""


class Pair(NamedTuple):
    """Two runs whose networks are compared, and the measure.

    `measure` is a name of :data:`spatialnb.analysis.pair_measures.MEASURES`.
    """

    first: Run
    second: Run
    measure: str = "similarity"

    @property
    def runs(self) -> tuple[Run, Run]:
        """The two runs."""
        return self.first, self.second

    @property
    def id(self) -> str:
        """The id of the pair's record."""
        return pair_id(*self)


def missing(configs: Sequence[Run], store: Store | None = None) -> list[Run]:
    """The runs that are not recorded yet, without repeats, in order. Reads file names only."""
    return missing_of(configs, (store or default_store()).ids())


def missing_of(configs: Sequence[Run], there: set[str]) -> list[Run]:
    """Like :func:`missing`, given the ids of the recorded runs."""
    return list({run.id: run for run in configs if run.id not in there}.values())


def stale(configs: Sequence[Run], there: set[str]) -> dict[int, int]:
    """Count the missing runs that are recorded under each earlier recipe number.

    Parameters
    ----------
    there : ids of the recorded runs. A run counts under the newest recipe that has it.
    """
    found: dict[int, int] = {}
    for run in missing_of(configs, there):
        recipe = max((one for one, old in run.earlier_ids().items() if old in there), default=0)
        if recipe:
            found[recipe] = found.get(recipe, 0) + 1
    return dict(sorted(found.items()))


def why_missing(chapter: str, configs: Sequence[Run], there: set[str]) -> str:
    """Say which runs of a chapter are missing, why stale records do not count, and what to do."""
    left = missing_of(configs, there)
    if not left:
        return ""
    recipe = left[0].to_dict()["recipe"]
    said = f"{len(left)} of its {len({run.id for run in configs})} runs are not recorded"
    for older, count in stale(configs, there).items():
        said += (
            f"; {count} recorded under recipe {older} do not count, because recipe {recipe} gives "
            "different numbers (see CHANGELOG.md)"
        )
    return f"{said}. `spatialnb train {chapter}` trains them."


def editions(run: Run) -> tuple[str, ...]:
    """The data sets that a run is trained on."""
    return (run.dataset,) if run.second is None else (run.dataset, run.second.dataset)


def pair_config(first: Run, second: Run, measure: str = "similarity") -> dict[str, Any]:
    """The configuration of a pair's record."""
    return {
        "schema": SCHEMA,
        "recipe": RECIPE,
        "measure": measure,
        "runs": [first.id, second.id],
    }


def pair_id(first: Run, second: Run, measure: str = "similarity") -> str:
    """The id of a pair's record."""
    return digest(pair_config(first, second, measure))[:16]


def minutes(
    todo: Sequence[Run], store: Store, workers: int, load: float = 0.0
) -> tuple[float, float]:
    """The least and the most minutes for training these runs; NaN if no similar run is recorded.

    The least takes each run to be as fast as the fastest similar recorded run. The most takes the
    slowest similar run, or the median slowed down by `load`, whichever is longer.

    Parameters
    ----------
    todo : the runs to train.
    store : holds similar runs.
    workers : how many runs are trained in parallel.
    load : number of other running processes per core.
    """
    least, most = (busy_until(one, workers) / 60.0 for one in _fastest_and_slowest(todo, store))
    usual = busy_until(seconds(todo, store), workers) / 60.0
    return least, max(most, usual * (1.0 + load))


def with_pairs(todo: Sequence[Run], pairs: Sequence[PairSpec], store: Store) -> list[Run]:
    """The runs, and the recorded runs whose weights an unmeasured pair needs (trained again).

    Reads file names only, so a pair that cannot be measured because a run failed counts as well.
    """
    measured = store.ids("pair")
    needed = [pair.runs for pair in (Pair(*one) for one in pairs) if pair.id not in measured]
    every = [*todo, *(run for both in needed for run in both)]
    return list({run.id: run for run in every}.values())


def busy_until(times: Sequence[float], workers: int) -> float:
    """Seconds until all runs are done, if each worker takes the next run when it is free."""
    if any(map(math.isnan, times)):
        return math.nan
    free = [0.0] * workers
    for time in times:
        heapq.heapreplace(free, free[0] + time)
    return max(free)


def _fastest_and_slowest(todo: Sequence[Run], store: Store) -> tuple[list[float], list[float]]:
    """Seconds of each run at the speed of the fastest and of the slowest similar recorded run."""
    likes = [_like(run.to_dict()) for run in todo]
    speeds = _seconds_per_epoch(set(likes), store)
    unknown = [math.nan]
    found = [(speeds.get(like, unknown), run) for like, run in zip(likes, todo, strict=True)]
    return (
        [values[0] * run.epochs for values, run in found],
        [values[-1] * run.epochs for values, run in found],
    )


def seconds(todo: Sequence[Run], store: Store) -> list[float]:
    """Seconds that each of these runs takes, from similar recorded runs.

    A similar run has the same data and network, and is also pruned or also not pruned. NaN if no
    such run is recorded.
    """
    likes = [_like(run.to_dict()) for run in todo]
    speeds = _seconds_per_epoch(set(likes), store)
    medians = {like: values[len(values) // 2] for like, values in speeds.items()}
    return [medians.get(like, math.nan) * run.epochs for like, run in zip(likes, todo, strict=True)]


def _like(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """The settings in a run's configuration that determine the time of an epoch."""
    return (
        config["dataset"],
        tuple(config["hidden"]),
        config.get("train_size"),
        config.get("network"),
        "second" in config,
        "prune" in config,
    )


def _seconds_per_epoch(
    likes: set[tuple[Any, ...]], store: Store
) -> dict[tuple[Any, ...], list[float]]:
    """Seconds per epoch of a few similar runs, fastest first; the user's own records come first."""
    speeds: dict[tuple[Any, ...], list[float]] = {}
    for folder in store.folders:
        found: dict[tuple[Any, ...], list[float]] = {like: [] for like in likes - speeds.keys()}
        if not found:
            break
        for path in itertools.islice(sorted((folder / "runs").glob("*.json")), LOOKED_AT):
            if all(len(values) >= SAMPLE for values in found.values()):
                break
            _add_seconds(path, found)
        speeds |= {like: sorted(values[:SAMPLE]) for like, values in found.items() if values}
    return speeds


def _add_seconds(path: Path, found: dict[tuple[Any, ...], list[float]]) -> None:
    """Add a recorded run's seconds per epoch to the list of similar runs.

    An estimate does not need a checked record, and a record that cannot be read is skipped.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        record = json.loads(path.read_bytes())
        like = _like(record["config"])
        if like in found:
            found[like].append(record["provenance"]["seconds"] / record["config"]["epochs"])
