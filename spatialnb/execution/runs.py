"""From configurations to records: look up recorded runs, train the missing ones.

Training survives Ctrl-C and a kill: finished runs are in the store, and the next call continues
where this one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spatialnb.config.run import Run
from spatialnb.execution.planning import Pair, PairSpec, pair_id
from spatialnb.execution.planning import missing as missing
from spatialnb.records.store import MissingError, Record, RecordError, Store, default_store
from spatialnb.training import fingerprint

if TYPE_CHECKING:
    from spatialnb.execution.backend import Backend


@dataclass(frozen=True, kw_only=True)
class Completed:
    """The records of a grid, by id. A pair with a failed run has none."""

    runs: dict[str, Record]
    pairs: dict[str, Record]

    def run(self, config: Run) -> Record:
        """The record of a run of the grid."""
        return self.runs[config.id]

    def pair(self, first: Run, second: Run, measure: str = "similarity") -> Record | None:
        """The record of a pair of the grid; None where one of its runs failed."""
        return self.pairs.get(pair_id(first, second, measure))


def complete(
    configs: Sequence[Run],
    *,
    pairs: Sequence[PairSpec] = (),
    store: Store | None = None,
    backend: Backend | None = None,
    progress: bool = True,
    train: bool = True,
    before: Callable[[Sequence[Run], Sequence[Pair]], None] | None = None,
) -> Completed:
    """Return the records of runs and of pairs: look up recorded ones, make the missing ones.

    Every record is read once, and checked as it is read.

    Parameters
    ----------
    configs : the runs; a run listed twice is trained once.
    pairs : pairs of runs to compare, each with an optional measure (default: similarity).
    store : where records are looked up and written; by default the working store and the published
        records.
    backend : trains the missing runs; by default a
        :class:`~spatialnb.execution.process_pool.ProcessPool` of one worker per core.
    progress : whether to show a progress bar.
    train : whether to train missing runs; if False, a missing run is an error.
    before : called with the missing runs and pairs before they are made.

    Raises
    ------
    MissingError : something is missing and `train` is False.
    RecordError : a required record is damaged, or was made with another definition of a
        user-defined kernel.
    FileNotFoundError : a data set is missing and could not be downloaded.
    OSError : the store cannot be written; raised before anything is trained.
    WorkerError : worker processes died repeatedly (killed, or out of memory), or have another
        version of this package.
    KeyboardInterrupt : stopped by the user; finished runs are recorded.
    ValueError : the backend cannot be used, for example because a device is not available.
    """
    store = store or default_store()
    asked = [Pair(*pair) for pair in pairs]
    wanted = {run.id: run for run in [*configs, *(run for pair in asked for run in pair.runs)]}
    found = _find(wanted, asked, store)
    new_runs = [run for run in wanted.values() if run.id not in found.runs]
    new_pairs = [
        pair for pair in asked if not _has_failed(pair, found.runs) and pair.id not in found.pairs
    ]
    if not new_runs and not new_pairs:
        return found
    if not train:
        raise MissingError(
            f"{len(new_runs)} of {len(wanted)} runs and {len(new_pairs)} of {len(asked)} "
            "pairs are not recorded; make them with `spatialnb train`"
        )
    if before is not None:
        before(new_runs, new_pairs)
    # Imported only here, so that recorded runs can be read without torch.
    from spatialnb.execution.process_pool import ProcessPool
    from spatialnb.execution.recording import record_missing

    trained, measured = record_missing(
        new_runs,
        new_pairs,
        found.runs,
        store=store,
        backend=backend or ProcessPool(),
        progress=progress,
    )
    return Completed(runs={**found.runs, **trained}, pairs={**found.pairs, **measured})


def _find(wanted: Mapping[str, Run], pairs: Sequence[Pair], store: Store) -> Completed:
    """The existing records of runs and pairs; raises RecordError if a record cannot be used."""
    found = {run_id: store.find(run_id) for run_id in wanted}
    records = {run_id: record for run_id, record in found.items() if record is not None}
    for run_id, record in records.items():
        _check_definition(wanted[run_id], record, store)
    whole = {pair.id: pair for pair in pairs if not _has_failed(pair, records)}
    measured = {name: store.find(name, "pair") for name in whole}
    return Completed(
        runs=records,
        pairs={name: record for name, record in measured.items() if record is not None},
    )


def _has_failed(pair: Pair, records: Mapping[str, Record]) -> bool:
    """Whether a run of the pair is recorded as failed."""
    return any(run.id in records and records[run.id].failed for run in pair.runs)


def _check_definition(run: Run, record: Record, store: Store) -> None:
    """Refuse a record that was made with another definition of a user-defined kernel."""
    if fingerprint.same_definition(run, record.provenance.get("definition")):
        return
    raise RecordError(
        f"{store.path(run.id)}: recorded with a definition of your kernel, schedule or action that "
        "differs from the current one. Give the new definition a new name, or delete the "
        "record to train the run again."
    )
