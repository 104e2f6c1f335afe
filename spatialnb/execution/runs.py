"""From configurations to records: look up what is recorded, have trained what is missing.

Training survives Ctrl-C and a kill: what was reported done is in the store, and the next call goes
on where this one stopped. Any ``concurrent.futures.Executor`` can do the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from spatialnb.config.run import Run
from spatialnb.execution.planning import Couple, Pair, pair_id
from spatialnb.execution.planning import missing as missing
from spatialnb.records.store import MissingError, Record, RecordError, Store, default_store
from spatialnb.training import fingerprint


@dataclass(frozen=True, kw_only=True)
class Completed:
    """The records of a grid, by configuration. A pair with a failed run has none."""

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
    pairs: Sequence[Couple] = (),
    store: Store | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    device: str = "cpu",
    stack: int | None = None,
    progress: bool = True,
    train: bool = True,
) -> Completed:
    """Records of runs and of pairs of runs: looked up where recorded, made where missing.

    Parameters
    ----------
    configs : the runs; one that is named twice is trained once.
    pairs : pairs of runs whose likeness is wanted; of two runs alone, their similarity.
    store : where to look and to write; the working store and the published records without it.
    executor : does the training; a pool of one-thread processes on this machine without it. Its
        workers need this package, the same as here, and the data; nothing else is sent or shared.
    workers : processes of that pool; one a core without it.
    device : another than the processor, as torch calls it: this process trains the runs there, one
        after the other.
    stack : train up to so many runs of one architecture at once, as
        :mod:`spatialnb.training.batched` does; what that does not know is trained one by one.
    progress : whether to show a bar.
    train : whether to train what is missing; without it that is an error.

    Raises
    ------
    MissingError : something is missing and `train` is off.
    RecordError : a record that is needed is damaged, or was made with another definition of a
        kernel of one's own.
    FileNotFoundError : a data set is not there and could not be downloaded.
    OSError : the store cannot be written; said before anything is trained.
    WorkerError : worker processes died repeatedly (killed, or out of memory), or have another
        version of this package.
    KeyboardInterrupt : stopped by the user; finished runs are recorded.
    ValueError : a device that is not there, a stack of none, or an executor and one of these two.
    """
    if executor is not None and (device != "cpu" or stack is not None):
        raise ValueError("an executor trains in its own place; leave out device and stack")
    if stack is not None and stack < 1:
        raise ValueError(f"stack: expected at least 1, got {stack}")
    if device != "cpu":
        from spatialnb.execution.workers import check_device  # only here, as below

        check_device(device)
    store = store or default_store()
    couples = [Pair(*pair) for pair in pairs]
    wanted = {run.id: run for run in [*configs, *(run for pair in couples for run in pair.runs)]}
    there = {run_id: store.find(run_id) for run_id in wanted}
    for run_id, record in there.items():
        _check_definition(wanted[run_id], record, store)
    failed = {run_id for run_id, record in there.items() if record is not None and record.failed}
    new_runs = [run for run in wanted.values() if there[run.id] is None]
    new_pairs = [
        pair
        for pair in couples
        if failed.isdisjoint({run.id for run in pair.runs})
        and store.find(pair_id(*pair), "pair") is None
    ]
    if new_runs or new_pairs:
        if not train:
            raise MissingError(
                f"{len(new_runs)} of {len(wanted)} runs and {len(new_pairs)} of {len(couples)} "
                "pairs are not recorded; `spatialnb train` makes them"
            )
        from spatialnb.execution.workers import (
            make,
        )  # only here: what is recorded is read without torch

        make(
            new_runs,
            new_pairs,
            store=store,
            executor=executor,
            workers=workers,
            device=device,
            stack=stack,
            progress=progress,
        )
    records = {run_id: store.get(run_id) for run_id in wanted}
    whole = [pair for pair in couples if not any(records[run.id].failed for run in pair.runs)]
    found = {pair_id(*pair): store.get(pair_id(*pair), "pair") for pair in whole}
    return Completed(runs=records, pairs=found)


def _check_definition(run: Run, record: Record | None, store: Store) -> None:
    """Refuse a record that was made when a kernel of one's own was another one."""
    if record is None or fingerprint.same_definition(run, record.provenance.get("definition")):
        return
    raise RecordError(
        f"{store.path(run.id)}: recorded with another definition of a kernel, schedule or action "
        "of yours than there is now. Give the new one a new name, or delete the record to train "
        "the run again."
    )
