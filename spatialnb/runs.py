"""From configurations to records: look up what is recorded, train what is missing.

Training survives Ctrl-C and a kill: what was reported done is in the store, and the next call goes
on where this one stopped. Any ``concurrent.futures.Executor`` can do the work.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import platform
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm

from spatialnb import (
    datasets,
    likeness,
    models,
    own,
    provenance,
    stacked,
    training,
    two_tasks,
    weights,
)
from spatialnb.config import Run, canonical
from spatialnb.datasets import Dataset
from spatialnb.records import MissingError, Record, RecordError, Store, default_store
from spatialnb.todo import Couple, Pair, cores, editions, pair_config, pair_id
from spatialnb.todo import missing as missing

POLL_SECONDS = 0.2
"""How often the bar is brought up to date."""
AHEAD = 10_000
"""So many runs are submitted ahead: more than an executor has workers."""
RESTARTS = 3
"""How often in a row a pool may lose a worker and finish no run."""

Done = tuple[Record, bytes | None]
"""A finished run: its record, and its learned weights and biases where they are kept."""


class WorkerError(RuntimeError):
    """Workers died again and again, or are not of this version."""


class Ticks(Protocol):
    """What an epoch is reported to: a queue of numbers of epochs."""

    def put(self, item: int) -> None:
        """Report that so many epochs are done."""


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
    stack : train up to so many runs of one architecture at once, as :mod:`spatialnb.stacked` does;
        what that does not know is trained one by one.
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
    _check_place(executor, device, stack)
    store = store or default_store()
    couples = [Pair(*pair) for pair in pairs]
    wanted = {run.id: run for run in [*configs, *(run for pair in couples for run in pair.runs)]}
    there = {run_id: store.find(run_id) for run_id in wanted}
    for run_id, record in there.items():
        _check_definition(wanted[run_id], record, store)
    failed = {run_id for run_id, record in there.items() if record is not None and record.failed}
    new_pairs = [
        pair
        for pair in couples
        if failed.isdisjoint({run.id for run in pair.runs})
        and store.find(pair_id(*pair), "pair") is None
    ]
    unweighted = {
        run.id: run for pair in new_pairs for run in pair.runs if _kept_weights(run.id) is None
    }
    todo = [run for run in wanted.values() if there[run.id] is None or run.id in unweighted]
    if not train and (todo or new_pairs):
        untrained = sum(record is None for record in there.values())
        raise MissingError(
            f"{untrained} of {len(wanted)} runs and {len(new_pairs)} of {len(couples)} pairs are "
            "not recorded; `spatialnb train` makes them"
        )
    if todo or new_pairs:
        store.prepare()
    if todo:
        for name in sorted({name for run in todo for name in editions(run)}):
            datasets.edition(name)
            if executor is None:  # once, before any worker: a missing file is one clear error
                datasets.load(name)
        keep = {run.id for pair in new_pairs for run in pair.runs}
        _train_all(todo, keep, store, executor, workers, device, stack, progress)
    records = {run_id: _found(store, run_id, "run") for run_id in wanted}
    whole = [pair for pair in couples if not any(records[run.id].failed for run in pair.runs)]
    for pair in new_pairs:
        if pair in whole:
            _record_pair(pair, store)
    for run in {run for pair in new_pairs for run in pair.runs}:
        weights_path(run.id).unlink(missing_ok=True)
    found = {pair_id(*pair): _found(store, pair_id(*pair), "pair") for pair in whole}
    return Completed(runs=records, pairs=found)


def train_one(
    run: Run, keep_weights: bool = False, ticks: Ticks | None = None, device: str = "cpu"
) -> Done:
    """Train a run here and now: its record, and its learned weights if they are to be kept."""
    started = time.perf_counter()
    data = [datasets.load(name) for name in editions(run)]
    on_epoch = None if ticks is None else lambda _: ticks.put(1)
    if run.second is None:
        trained = training.train(run, data[0], on_epoch, device)
    else:
        trained = two_tasks.train(run, (data[0], data[1]), on_epoch, device)
    seconds = time.perf_counter() - started
    record = _record(run, trained.outcome, data, seconds, device=_called(device))
    return record, _packed_weights(run.id, likeness.keep(trained.model)) if keep_weights else None


def train_stack(
    stack: Sequence[Run], device: str = "cpu", on_epoch: Callable[[int], None] | None = None
) -> list[Record]:
    """Train runs that share a program, see :mod:`spatialnb.stacked`. Their seconds are shares."""
    started = time.perf_counter()
    data = datasets.load(stack[0].dataset)
    outcomes = stacked.train(stack, data, on_epoch, device)
    seconds = (time.perf_counter() - started) / len(stack)
    return [
        _record(run, outcome, [data], seconds, engine=stacked.ENGINE, device=_called(device))
        for run, outcome in zip(stack, outcomes, strict=True)
    ]


def _record(
    run: Run, outcome: dict[str, Any], data: Sequence[Dataset], seconds: float, **made: str
) -> Record:
    definition = own.definition(run)
    return Record(
        kind="run",
        config=run.to_dict(),
        outcome=outcome,
        provenance={
            **provenance.describe({part.name: part.sha256 for part in data}, seconds, **made),
            **({} if definition is None else {"definition": definition}),
        },
    )


def _called(device: str) -> str:
    """A device in a record: ``cpu``, or the accelerator's name."""
    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else kind


def _check_place(executor: Executor | None, device: str, stack: int | None) -> None:
    if executor is not None and (device != "cpu" or stack is not None):
        raise ValueError("an executor trains in its own place; leave out device and stack")
    if stack is not None and stack < 1:
        raise ValueError(f"stack: expected at least 1, got {stack}")
    try:
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(
            f"device {device!r} cannot be used here ({why}); leave it out to train on the processor"
        ) from error


def record_weights(run: Run, store: Store) -> Record:
    """Record a summary of a recorded run's weights, for which the run is trained again.

    Raises
    ------
    MissingError : the run is not recorded.
    RecordError : trained again it does not come out as recorded, so these are not its weights; or a
        record is damaged.
    ValueError : the run failed, is one of two tasks, or has its neurons not on a line, along which
        the summary counts distances.
    """
    there = weights.weights_of(run, store)
    if there is not None:
        return there
    recorded = store.find(run.id)
    if recorded is None:
        raise MissingError(f"the run {run.id} is not recorded; `spatialnb train` makes it")
    if run.positions is not None:
        raise ValueError(
            f"the run {run.id} has its neurons on the {run.positions}; the summary of weights "
            "counts distances along a line"
        )
    if recorded.failed or run.second is not None:
        what = "failed" if recorded.failed else "is one of two tasks"
        raise ValueError(f"the run {run.id} {what}; weights are recorded of finished runs of one")
    again, kept = train_one(run, keep_weights=True)
    if canonical(again.outcome) != canonical(recorded.outcome):
        raise RecordError(
            f"the run {run.id} does not come out here as it was recorded, so these are not its "
            "weights. Another torch build or processor gives other bits: see its provenance."
        )
    assert kept is not None
    _keep_weights(kept, weights_path(run.id))
    model = likeness.trained(run, _weights(run))
    weights_path(run.id).unlink()
    record = Record(
        kind="weight",
        config=weights.weights_config(run),
        outcome=weights.summarise(likeness.learned(model), models.effective_weights(model)),
        provenance=provenance.here(),
    )
    _keep(record, None, store)
    return _found(store, record.id, "weight")


def weights_path(run_id: str) -> Path:
    """Where the learned weights of a run are kept until its pairs are measured."""
    folder: Path = datasets.cache_root()
    return folder / "weights" / f"{run_id}.safetensors"


def _train_all(
    todo: list[Run],
    keep: set[str],
    store: Store,
    executor: Executor | None,
    workers: int | None,
    device: str,
    stack: int | None,
    progress: bool,
) -> None:
    total = sum(run.epochs for run in todo)
    shown = {} if progress else {"disable": True}  # else as TQDM_DISABLE says
    with tqdm(total=total, unit="epoch", smoothing=0.1, **shown) as bar:
        left = {run.id: run for run in todo}

        def done(future: Future[Done]) -> None:
            record, kept = future.result()
            _keep(record, kept, store)
            run = left.pop(record.id)
            if executor is not None:  # its epochs are not reported one by one
                bar.update(run.epochs)
            bar.set_description(f"{len(todo) - len(left)} of {len(todo)} runs")

        bar.set_description(f"0 of {len(todo)} runs")
        if executor is not None:
            _train_elsewhere(executor, left, keep, done)
            return
        if stack is not None:
            _train_stacks(left, keep, store, stack, device, bar)
        if device != "cpu":
            for run in list(left.values()):
                record, kept = train_one(run, run.id in keep, _Bar(bar), device)
                _keep(record, kept, store)
                del left[run.id]
        deaths = 0
        while left:
            if deaths == RESTARTS:
                raise WorkerError(
                    f"worker processes died {RESTARTS} times (killed, or out of memory); "
                    f"{len(todo) - len(left)} of {len(todo)} runs are recorded. "
                    "Try fewer workers; the same command goes on where this one stopped. A script "
                    'of your own needs `if __name__ == "__main__":` around what it does.'
                )
            before = len(left)
            bar.n = total - sum(run.epochs for run in left.values())
            with (
                contextlib.suppress(BrokenProcessPool),
                _pool(workers or cores(), bar) as (pool, drain),
            ):
                paths = {run_id: weights_path(run_id) for run_id in keep}
                jobs = (
                    pool.submit(_work, run.to_dict(), paths.get(run.id))
                    for run in list(left.values())
                )
                with _uninterrupted():
                    first = list(itertools.islice(jobs, AHEAD))
                _collect(itertools.chain(first, jobs), done, drain)
            deaths = deaths + 1 if len(left) == before else 0


def _train_stacks(
    left: dict[str, Run], keep: set[str], store: Store, most: int, device: str, bar: tqdm[None]
) -> None:
    """Train what can be stacked; what cannot, or is to leave its weights, stays in `left`."""
    known = [run for run in left.values() if stacked.stackable(run) and run.id not in keep]
    for group in stacked.stacks(known, most):
        bar.set_description(f"{len(group)} runs at once")
        for record in train_stack(group, device, functools.partial(_tick, bar, len(group))):
            _keep(record, None, store)
            del left[record.id]


def _tick(bar: tqdm[None], count: int, epochs: int) -> None:
    bar.update(count)


class _Bar:
    """A progress bar where epochs are reported: see :class:`Ticks`."""

    def __init__(self, bar: tqdm[None]) -> None:
        self.bar = bar

    def put(self, item: int) -> None:
        """So many epochs more."""
        self.bar.update(item)


def _train_elsewhere(
    executor: Executor,
    left: dict[str, Run],
    keep: set[str],
    done: Callable[[Future[Done]], None],
) -> None:
    """Send runs to workers that this process did not start."""
    there = (own.packed(), provenance.code())
    jobs = (
        executor.submit(_work_elsewhere, run.to_dict(), run.id in keep, *there)
        for run in list(left.values())
    )
    try:
        _collect(jobs, done, lambda: None)
    except (BrokenExecutor, CancelledError) as error:
        raise WorkerError(
            f"the workers are lost ({str(error) or type(error).__name__}); {len(left)} runs are "
            "left. What is finished is recorded, and the same command goes on where this one "
            "stopped."
        ) from error


def _collect(
    futures: Iterator[Future[Done]], done: Callable[[Future[Done]], None], drain: Callable[[], None]
) -> None:
    """Hand every future on as it ends; `futures` submits them, a number of them ahead.

    The ends are queued by the futures themselves: to ask each of thousands again and again takes
    longer than their runs.
    """
    ended: SimpleQueue[Future[Done]] = SimpleQueue()
    pending: set[Future[Done]] = set()
    try:
        while True:
            for future in itertools.islice(futures, AHEAD - len(pending)):
                pending.add(future)
                future.add_done_callback(ended.put)
            if not pending:
                return
            batch = set(_waited_for(ended))
            drain()
            pending -= batch
            good = {one for one in batch if not one.cancelled() and one.exception() is None}
            for future in good:
                done(future)
            for future in batch - good:
                future.result()
    finally:
        for future in pending:
            future.cancel()


def _waited_for(ended: SimpleQueue[Future[Done]]) -> Iterator[Future[Done]]:
    """What has ended, after a moment if nothing has yet."""
    with contextlib.suppress(Empty):
        yield ended.get(timeout=POLL_SECONDS)
        while True:
            yield ended.get_nowait()


@contextlib.contextmanager
def _pool(workers: int, bar: Any) -> Iterator[tuple[Executor, Callable[[], None]]]:
    """Processes that end when this one closes its end of a pipe, or dies."""
    context = get_context("spawn")
    ticks = context.SimpleQueue()
    theirs, ours = context.Pipe(duplex=False)

    def drain() -> None:
        while not ticks.empty():
            bar.update(ticks.get())

    with worker_environment():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=context,
            initializer=_begin,
            initargs=(theirs, ticks, own.packed()),
        )
        try:
            yield pool, drain
        finally:
            drain()
            ours.close()
            pool.shutdown(wait=True, cancel_futures=True)
            theirs.close()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is ignored inside, and by the workers that are started inside.

    They would otherwise print a traceback each while they still import. Only the main thread may
    say so; another one changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def worker_environment() -> Iterator[None]:
    """What workers inherit: one thread each, and an allocator that keeps its pages.

    glibc gives large blocks back to the system at once, so every step of training would fault the
    same pages in again; without that a step is about a tenth faster, and its numbers are the same.
    """
    ours = {
        "OMP_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_ticks: Ticks | None = None


def _begin(parent: Connection, ticks: Ticks, definitions: bytes) -> None:
    """Start of a worker: Ctrl-C is the parent's to handle; without a parent there is no work.

    Kernels of a notebook or of a file of the user's own are registered here too.
    """
    global _ticks
    _ticks = ticks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    own.unpack(definitions)


def _end_with(parent: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    os._exit(0)


def _work(config: dict[str, Any], keep_at: Path | None) -> Done:
    """Train in a worker, which keeps the weights itself.

    Megabytes on their way to the parent would be cut off where the worker is killed, and the parent
    would wait for the rest for ever; a record passes through a pipe in one piece.
    """
    record, kept = train_one(Run.from_dict(config), keep_at is not None, _ticks)
    if keep_at is not None and kept is not None:
        _keep_weights(kept, keep_at)
    return record, None


def _work_elsewhere(
    config: dict[str, Any], keep_weights: bool, definitions: bytes, code: str
) -> Done:
    """Train in a worker of somebody's executor, maybe on another machine: it gets all it needs."""
    here = f"worker on {platform.node()}"
    if provenance.code() != code:
        version = provenance.versions()["spatialnb"]
        raise WorkerError(
            f"{here}: its spatialnb ({version}) is not that of the caller. Install the same "
            "one there, start the workers again, and repeat the command."
        )
    own.unpack(definitions)
    try:
        return train_one(Run.from_dict(config), keep_weights)
    except OSError as error:  # most of all data that are not there
        raise type(error)(f"{here}: {error}") from error


def _packed_weights(run_id: str, learned: dict[str, Tensor]) -> bytes:
    """Weights as a file that says whose they are, with a checksum."""
    marks = {"run": run_id, "sha256": _weights_digest(run_id, learned)}
    return bytes(safetensors.torch.save(learned, marks))


def _kept_weights(run_id: str) -> dict[str, Tensor] | None:
    """The weights kept of a run; None where there are none, or not as they were written."""
    try:
        with safe_open(weights_path(run_id), framework="pt") as stored:
            marks = stored.metadata() or {}
            learned = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
        whole = marks == {"run": run_id, "sha256": _weights_digest(run_id, learned)}
    except (OSError, SafetensorError, TypeError, ValueError):  # the third: numbers NumPy lacks
        return None
    return learned if whole else None


def _weights_digest(run_id: str, learned: dict[str, Tensor]) -> str:
    value = hashlib.sha256(f"{run_id} weights and biases".encode())
    for name in sorted(learned):
        value.update(f"{name} {learned[name].dtype} {list(learned[name].shape)}\n".encode())
        value.update(learned[name].contiguous().numpy().tobytes())
    return value.hexdigest()


def _keep_weights(kept: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        partial.write_bytes(kept)
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def _keep(record: Record, kept: bytes | None, store: Store) -> None:
    """Weights first, then the record: a recorded run has all that it should leave."""
    if kept is not None:
        _keep_weights(kept, weights_path(record.id))
    signed = Record(
        kind=record.kind,
        config=record.config,
        outcome=record.outcome,
        provenance={"commit": provenance.commit(), **record.provenance},
    )
    try:
        store.add(signed)
    except RecordError as error:
        warnings.warn(str(error), stacklevel=2)


def _record_pair(pair: Pair, store: Store) -> None:
    first, second, measure = pair
    outcome = likeness.MEASURES[measure](first, second, _weights(first), _weights(second))
    record = Record(
        kind="pair", config=pair_config(*pair), outcome=outcome, provenance=provenance.here()
    )
    _keep(record, None, store)


def _weights(run: Run) -> dict[str, Tensor]:
    """What is kept of a run that was just trained."""
    stored = _kept_weights(run.id)
    if stored is None:
        raise RuntimeError(
            f"{weights_path(run.id)}: the weights of a run were kept there and are gone or "
            "damaged; the same command trains that run again and goes on"
        )
    return stored


def _check_definition(run: Run, record: Record | None, store: Store) -> None:
    """Refuse a record that was made when a kernel of one's own was another one."""
    if record is None or own.same_definition(run, record.provenance.get("definition")):
        return
    raise RecordError(
        f"{store.path(run.id)}: recorded with another definition of a kernel, schedule or action "
        "of yours than there is now. Give the new one a new name, or delete the record to train "
        "the run again."
    )


def _found(store: Store, record_id: str, kind: str) -> Record:
    record = store.find(record_id, kind)
    if record is None:
        raise RecordError(
            f"the {kind} {record_id} was recorded and is gone; do not empty a store in use"
        )
    return record
