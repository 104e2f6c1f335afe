"""Training done: one run here, a stack of them, many in processes or by an executor of one's own.

What was reported done is in the store, so Ctrl-C or a kill loses only the runs in flight.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import torch
from tqdm import tqdm

from spatialnb import datasets
from spatialnb.analysis import pair_measures, weight_summary
from spatialnb.config import user_definitions
from spatialnb.config.run import Run, canonical
from spatialnb.datasets import Dataset
from spatialnb.execution.planning import Pair, cores, editions, pair_config
from spatialnb.records import provenance, weight_cache
from spatialnb.records.store import MissingError, Record, RecordError, Store
from spatialnb.training import batched, fingerprint, loop, multitask, networks

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


def make(
    runs: Sequence[Run],
    pairs: Sequence[Pair],
    *,
    store: Store,
    executor: Executor | None,
    workers: int | None,
    device: str,
    stack: int | None,
    progress: bool,
) -> None:
    """Train the runs that are not recorded, then measure the pairs that are not.

    Parameters and errors are those of :func:`spatialnb.execution.runs.complete`. A run of a pair
    whose weights are not kept is trained again for them.
    """
    paired = {run.id: run for pair in pairs for run in pair.runs}
    todo = [
        run
        for run in {run.id: run for run in [*runs, *paired.values()]}.values()
        if store.find(run.id) is None or (run.id in paired and weight_cache.read(run.id) is None)
    ]
    store.prepare()
    for name in sorted({name for run in todo for name in editions(run)}):
        datasets.edition(name)
        if executor is None:  # once, before any worker: a missing file is one clear error
            datasets.load(name)
    if todo:
        _train_all(todo, set(paired), store, executor, workers, device, stack, progress)
    for pair in pairs:
        records = [store.find(run.id) for run in pair.runs]
        if not any(record is not None and record.failed for record in records):
            _record_pair(pair, store)
    for run_id in paired:
        weight_cache.path_of(run_id).unlink(missing_ok=True)


def train_one(
    run: Run,
    keep_weights: bool = False,
    on_epoch: Callable[[int], None] | None = None,
    device: str = "cpu",
) -> Done:
    """Train a run here and now: its record, and its learned weights if they are to be kept."""
    started = time.perf_counter()
    data = [datasets.load(name) for name in editions(run)]
    if run.second is None:
        trained = loop.train(run, data[0], on_epoch, device)
    else:
        trained = multitask.train(run, (data[0], data[1]), on_epoch, device)
    seconds = time.perf_counter() - started
    record = _record(run, trained.outcome, data, seconds, device=_called(device))
    return record, weight_cache.packed(
        run.id, pair_measures.keep(trained.model)
    ) if keep_weights else None


def train_stack(
    stack: Sequence[Run], device: str = "cpu", on_epoch: Callable[[int], None] | None = None
) -> list[Record]:
    """Train runs that share a program, see :mod:`spatialnb.training.batched`.

    Their seconds are shares.
    """
    started = time.perf_counter()
    data = datasets.load(stack[0].dataset)
    outcomes = batched.train(stack, data, on_epoch, device)
    seconds = (time.perf_counter() - started) / len(stack)
    return [
        _record(run, outcome, [data], seconds, engine=batched.ENGINE, device=_called(device))
        for run, outcome in zip(stack, outcomes, strict=True)
    ]


def _record(
    run: Run, outcome: dict[str, Any], data: Sequence[Dataset], seconds: float, **made: str
) -> Record:
    definition = fingerprint.definition(run)
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


def check_device(device: str) -> None:
    """Refuse a device that cannot be used here, with ValueError."""
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
    there = weight_summary.weights_of(run, store)
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
    again, learned = train_one(run, keep_weights=True)
    if canonical(again.outcome) != canonical(recorded.outcome):
        raise RecordError(
            f"the run {run.id} does not come out here as it was recorded, so these are not its "
            "weights. Another torch build or processor gives other bits: see its provenance."
        )
    assert learned is not None
    weight_cache.write(learned, weight_cache.path_of(run.id))
    model = pair_measures.trained(run, weight_cache.weights(run))
    weight_cache.path_of(run.id).unlink()
    record = Record(
        kind="weight",
        config=weight_summary.weights_config(run),
        outcome=weight_summary.summarise(
            pair_measures.learned(model), networks.effective_weights(model)
        ),
        provenance=provenance.here(),
    )
    weight_cache.keep(record, None, store)
    return store.get(record.id, "weight")


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
            record, learned = future.result()
            weight_cache.keep(record, learned, store)
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
                record, learned = train_one(run, run.id in keep, _each(bar.update), device)
                weight_cache.keep(record, learned, store)
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
                paths = {run_id: weight_cache.path_of(run_id) for run_id in keep}
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
    known = [run for run in left.values() if batched.stackable(run) and run.id not in keep]
    for group in batched.stacks(known, most):
        bar.set_description(f"{len(group)} runs at once")
        for record in train_stack(group, device, _each(bar.update, len(group))):
            weight_cache.keep(record, None, store)
            del left[record.id]


def _each(tell: Callable[[int], Any], epochs: int = 1) -> Callable[[int], None]:
    """What is called at the end of an epoch, with its number, and tells of so many done."""

    def on_epoch(_: int) -> None:
        tell(epochs)

    return on_epoch


def _train_elsewhere(
    executor: Executor,
    left: dict[str, Run],
    keep: set[str],
    done: Callable[[Future[Done]], None],
) -> None:
    """Send runs to workers that this process did not start."""
    there = (user_definitions.packed(), provenance.code())
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
            initargs=(theirs, ticks, user_definitions.packed()),
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


_on_epoch: Callable[[int], None] | None = None


def _begin(parent: Connection, ticks: Any, definitions: bytes) -> None:
    """Start of a worker: Ctrl-C is the parent's to handle; without a parent there is no work.

    Kernels of a notebook or of a file of the user's own are registered here too.
    """
    global _on_epoch
    _on_epoch = _each(ticks.put)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    user_definitions.unpack(definitions)


def _end_with(parent: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    os._exit(0)


def _work(config: dict[str, Any], keep_at: Path | None) -> Done:
    """Train in a worker, which keeps the weights itself.

    Megabytes on their way to the parent would be cut off where the worker is killed, and the parent
    would wait for the rest for ever; a record passes through a pipe in one piece.
    """
    record, learned = train_one(Run.from_dict(config), keep_at is not None, _on_epoch)
    if keep_at is not None and learned is not None:
        weight_cache.write(learned, keep_at)
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
    user_definitions.unpack(definitions)
    try:
        return train_one(Run.from_dict(config), keep_weights)
    except OSError as error:  # most of all data that are not there
        raise type(error)(f"{here}: {error}") from error


def _record_pair(pair: Pair, store: Store) -> None:
    first, second, measure = pair
    outcome = pair_measures.MEASURES[measure](
        first, second, weight_cache.weights(first), weight_cache.weights(second)
    )
    record = Record(
        kind="pair", config=pair_config(*pair), outcome=outcome, provenance=provenance.here()
    )
    weight_cache.keep(record, None, store)
