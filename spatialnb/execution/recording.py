"""Make the missing records: train runs on a backend, then measure pairs.

A finished run is written to the store at once, so Ctrl-C or a kill loses only unfinished runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from spatialnb import datasets
from spatialnb.analysis import pair_measures
from spatialnb.config.run import Run
from spatialnb.execution.backend import Backend
from spatialnb.execution.job_queue import JobQueue
from spatialnb.execution.planning import Pair, editions, pair_config
from spatialnb.records import answers, provenance, weight_cache
from spatialnb.records.store import Record, Store

TRIES = 3
"""How many times weights may be missing when their pair is measured. Commands share the cache, and
a command that finishes removes weights that another may still need."""


def record_missing(
    runs: Sequence[Run],
    pairs: Sequence[Pair],
    recorded: Mapping[str, Record],
    *,
    store: Store,
    backend: Backend,
    progress: bool,
) -> tuple[dict[str, Record], dict[str, Record]]:
    """Train the runs that are not recorded, then measure the pairs that are not recorded.

    If a pair needs the weights of a recorded run, that run is trained again. Raises the errors of
    :func:`spatialnb.execution.runs.complete`.

    Parameters
    ----------
    runs, pairs : runs and pairs without a record.
    recorded : the records of all other runs of the pairs, by id.
    store, backend, progress : as for :func:`spatialnb.execution.runs.complete`.

    Returns
    -------
    The new records by id, of runs and of pairs. A pair with a failed run has none.
    """
    backend.check()
    paired = {run.id: run for pair in pairs for run in pair.runs}
    todo = [
        run
        for run in {run.id: run for run in [*runs, *paired.values()]}.values()
        if run.id not in recorded or (run.id in paired and weight_cache.read(run.id) is None)
    ]
    store.prepare()
    _check_data(todo, backend, store)
    if todo:
        _train(todo, set(paired), store, backend, progress)
    trained = {run.id: store.get(run.id) for run in runs}
    failed = {run_id for run_id, record in {**recorded, **trained}.items() if record.failed}
    whole = {pair.id: pair for pair in pairs if failed.isdisjoint({run.id for run in pair.runs})}
    measured: dict[str, Record] = {}
    for _ in range(TRIES):
        gone = _record_pairs([pair for pair in whole.values() if pair.id not in measured], store)
        measured = {
            pair.id: found
            for pair in whole.values()
            if (found := store.find(pair.id, "pair")) is not None
        }
        if not gone:
            break
        _train(gone, set(paired), store, backend, progress)
    else:
        raise OSError(
            f"{weight_cache.path_of(gone[0].id)}: weights stored there disappeared {TRIES} times "
            "before the pairs of their runs could be measured. Check whether something empties "
            "this folder. The same command continues where this one stopped"
        )
    for run_id in paired:
        weight_cache.path_of(run_id).unlink(missing_ok=True)
    return trained, measured


def _check_data(todo: Iterable[Run], backend: Backend, store: Store) -> None:
    """Read the data once before the workers do, so that a missing file gives one clear error.

    This also records the true classes of the test split, against which answers are judged.
    """
    names = {name for run in todo for name in editions(run)}
    for name in sorted(names):
        datasets.edition(name)
    if backend.on_this_machine:
        record_labels(names, store)


def record_labels(names: Iterable[str], store: Store) -> None:
    """Record the true classes of these editions unless they are already recorded."""
    for name in sorted(names):
        labels = answers.labels_record(datasets.load(name))
        if labels is not None and store.path(labels.id, labels.kind) is None:
            weight_cache.save_record(labels, store)


def _train(
    todo: list[Run], paired: set[str], store: Store, backend: Backend, progress: bool
) -> None:
    total = sum(run.epochs for run in todo)
    shown: dict[str, Any] = {} if progress else {"disable": True}  # default: TQDM_DISABLE decides
    with tqdm(total=total, unit="epoch", smoothing=0.1, **shown) as bar:
        backend.train(JobQueue(todo, paired, store, bar))


def _record_pairs(pairs: Iterable[Pair], store: Store) -> list[Run]:
    """Measure pairs of trained runs; return the runs whose weights are missing."""
    gone: dict[str, Run] = {}
    for pair in pairs:
        weights = [weight_cache.read(run.id) for run in pair.runs]
        missing = [run for run, kept in zip(pair.runs, weights, strict=True) if kept is None]
        gone |= {run.id: run for run in missing}
        if weights[0] is not None and weights[1] is not None:
            _record_pair(pair, weights[0], weights[1], store)
    return list(gone.values())


def _record_pair(
    pair: Pair, first: pair_measures.Kept, second: pair_measures.Kept, store: Store
) -> None:
    outcome = pair_measures.MEASURES[pair.measure](pair.first, pair.second, first, second)
    record = Record(
        kind="pair", config=pair_config(*pair), outcome=outcome, provenance=provenance.here()
    )
    weight_cache.save_record(record, store)
