"""Many processes that write into one store at the same time."""

from __future__ import annotations

import functools

from spatialnb.records.store import Store, read
from tools.faults import trying
from tools.faults.trying import Trial, fault, made


@fault(times=20, few=1)
def eight(trial: Trial) -> None:
    """Eight processes started at once on overlapping grids.

    Each run has exactly one record, and it is correct.
    """
    # Each process has six of eight runs.
    grid = trying.GRID[:8]
    right = trying.undisturbed(grid)
    for number in trial.tries():
        place = trial.folder / str(number)
        asked = [trial.chance.sample(grid, 6) for _ in range(8)]
        codes = trying.at_once([trying.completes(place, mine) for mine in asked])
        trial.expect(not any(codes), f"processes that ended with {codes}")
        wanted = {run.id for mine in asked for run in mine}
        there = trying.check_store(trial, place, right)
        trial.expect(there == wanted, "a run that is missing")
        trial.expect(not list(place.rglob(".*.part")), "a file that was left behind")
        trial.counts["records"] += len(wanted)


@fault(times=200, few=10)
def two_results(trial: Trial) -> None:
    """Eight processes that write up to three different results of one configuration.

    The first result is used. The others are kept beside it and reported.
    """
    # Which result comes first is random.
    for number in trial.tries():
        store = Store(trial.folder / str(number))
        results = [trial.chance.randrange(3) / 10 for _ in range(8)]
        writing = [functools.partial(store.add, made(0, result)) for result in results]
        quiet = trying.at_once(writing).count(0)
        kept = [store.find(made(0).id), *(read(path) for path in store.conflicts())]
        values = [record.outcome["epochs"]["test_accuracy"][-1] for record in kept if record]
        trial.expect(sorted(values) == sorted(set(results)), "a result that is lost")
        trial.expect(quiet == results.count(values[0]), "another result that was not reported")
