"""From configurations to records: what is trained, what is kept, what a kill leaves."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import psutil
import pytest

import spatialnb
from spatialnb import datasets
from spatialnb.analysis.similarity import cosine
from spatialnb.config.run import Run
from spatialnb.execution import process_pool, recording, runs, trainer, worker
from spatialnb.execution.backend import WorkerError
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.in_process import InProcess
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.execution.runs import complete, missing, pair_id
from spatialnb.execution.trainer import Trained
from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Anneal, Static
from spatialnb.records import provenance, weight_cache
from spatialnb.records import store as records_store
from spatialnb.records.store import Record, RecordError, Store, read
from spatialnb.training import loop, networks

PATIENCE = 180.0
"""Seconds until a test gives up on a process: workers import torch, on busy cores slowly."""

NONE = Run(dataset="quick-colours", hidden=(12,), epochs=2)
OTHER = replace(NONE, seed=1)
STRONG = replace(NONE, schedule=Static(kernel=Exponential(k=9.0)))
ANNEALED = replace(STRONG, schedule=Anneal(start=Exponential(), end=Exponential(k=30.0)))
GRID = (NONE, OTHER, STRONG, ANNEALED)
PAIRS = ((NONE, OTHER), (STRONG, ANNEALED))
LONG = replace(NONE, epochs=60)  # about half a second


class Inline(Executor):
    """Trains in this process as soon as it is asked, and counts."""

    def __init__(self) -> None:
        self.asked: list[Run] = []

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        self.asked.append(Run.from_dict(arguments[0]))
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded data and weights of this file's runs, apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIALNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def expected(_cache: None, tmp_path_factory: pytest.TempPathFactory) -> runs.Completed:
    """The grid, trained in this process."""
    own = Store(tmp_path_factory.mktemp("expected"))
    with ThreadPoolExecutor(1) as executor:
        return complete(
            GRID, pairs=PAIRS, store=own, backend=ExecutorBackend(executor), progress=False
        )


def outcomes(records: dict[str, Record]) -> dict[str, Any]:
    return {record_id: record.outcome for record_id, record in records.items()}


def is_gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # dead, and not yet buried
    return True


def soon(happens: Callable[[], bool]) -> bool:
    """Whether it happens within the patience of this file."""
    end = time.monotonic() + PATIENCE
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


# ── Looking up and training what is missing ─────────────────────────────────────────────────────


def test_a_record_of_a_run_holds_its_configuration_its_outcome_and_where_it_comes_from(
    expected: runs.Completed,
) -> None:
    record = expected.run(STRONG)
    assert record.run == STRONG
    assert record.outcome == loop.train(STRONG).outcome
    assert record.provenance["data"] == {
        "edition": "quick-colours",
        "sha256": datasets.load("quick-colours").sha256,
    }
    assert record.provenance.keys() >= {"commit", "versions", "device", "threads", "seconds"}
    assert record.provenance["versions"]["torch"]
    assert record.provenance["seconds"] > 0.0


def test_only_what_is_missing_is_trained_and_a_run_named_twice_once(store: Store) -> None:
    first = Inline()
    complete(
        [NONE, NONE, replace(NONE)],
        store=store,
        backend=ExecutorBackend(first),
        progress=False,
    )
    assert first.asked == [NONE]
    second = Inline()
    found = complete(
        [NONE, STRONG, NONE], store=store, backend=ExecutorBackend(second), progress=False
    )
    assert second.asked == [STRONG]
    assert set(found.runs) == {NONE.id, STRONG.id}
    third = Inline()
    again = complete([STRONG, NONE], store=store, backend=ExecutorBackend(third), progress=False)
    assert third.asked == []
    assert outcomes(again.runs) == outcomes(found.runs)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the record of each id is read."""
    counts: Counter[str] = Counter()

    def counting(path: Path) -> Record:
        counts[path.stem] += 1
        return read(path)

    monkeypatch.setattr(records_store, "read", counting)
    return counts


def test_every_record_is_read_once(
    store: Store, expected: runs.Completed, reads: Counter[str]
) -> None:
    for record in expected.runs.values():
        store.add(record)
    store.add(expected.pairs[pair_id(*PAIRS[0])])
    reads.clear()
    found = complete(GRID, pairs=PAIRS[:1], store=store, progress=False, train=False)
    assert reads == dict.fromkeys([*(run.id for run in GRID), pair_id(*PAIRS[0])], 1)
    assert found.runs == expected.runs


def test_records_made_on_the_way_are_read_once_and_the_others_not_again(
    store: Store, expected: runs.Completed, reads: Counter[str]
) -> None:
    for run in (NONE, STRONG):
        store.add(expected.run(run))
    reads.clear()
    backend = ExecutorBackend(Inline())
    found = complete(GRID, pairs=PAIRS[:1], store=store, backend=backend, progress=False)
    every = dict.fromkeys([*(run.id for run in GRID), pair_id(*PAIRS[0])], 1)
    # NONE is trained again for its weights, and the store compares the two results.
    assert reads == {**every, NONE.id: 2}
    assert outcomes(found.runs) == outcomes(expected.runs)


def test_nothing_wanted_is_nothing_done(store: Store) -> None:
    assert complete([], store=store, progress=False) == runs.Completed(runs={}, pairs={})


def test_published_records_are_found_and_not_trained_again(
    tmp_path: Path, expected: runs.Completed
) -> None:
    Store(tmp_path / "published").add(expected.run(NONE))
    executor = Inline()
    both = Store(tmp_path / "working", tmp_path / "published")
    complete([NONE], store=both, backend=ExecutorBackend(executor), progress=False)
    assert executor.asked == []
    assert not (tmp_path / "working").exists()


def test_missing_runs_are_listed_once_and_in_order(store: Store, expected: runs.Completed) -> None:
    store.add(expected.run(OTHER))
    assert missing([STRONG, OTHER, NONE, STRONG], store) == [STRONG, NONE]


def test_a_damaged_record_stops_before_anything_is_trained(
    store: Store, expected: runs.Completed
) -> None:
    path = store.add(expected.run(NONE))
    path.write_bytes(path.read_bytes()[:-9])
    executor = Inline()
    with pytest.raises(RecordError, match=f"{NONE.id}.json: not JSON .* delete it to train the"):
        complete([STRONG, NONE], store=store, backend=ExecutorBackend(executor), progress=False)
    assert executor.asked == []


def test_an_unknown_data_set_stops_before_anything_is_trained(store: Store) -> None:
    executor = Inline()
    lost = replace(NONE, dataset="quick-colour")
    with pytest.raises(ValueError, match=r"'quick-colour'.*Did you mean 'quick-colours'"):
        complete([NONE, lost], store=store, backend=ExecutorBackend(executor), progress=False)
    assert executor.asked == []


def test_a_run_that_raises_is_reported_and_the_others_are_recorded(store: Store) -> None:
    greedy = replace(NONE, train_size=10_000)
    with pytest.raises(ValueError, match="has only 1500 training samples, not 10000"):
        complete(
            [NONE, greedy, STRONG],
            store=store,
            backend=ExecutorBackend(Inline()),
            progress=False,
        )
    assert store.ids() == {NONE.id, STRONG.id}


def test_a_run_that_diverges_is_recorded_as_failed_and_not_tried_again(store: Store) -> None:
    wild = replace(NONE, learning_rate=1e30)
    found = complete([wild], store=store, backend=ExecutorBackend(Inline()), progress=False)
    assert found.run(wild).failed
    again = Inline()
    complete([wild], store=store, backend=ExecutorBackend(again), progress=False)
    assert again.asked == []
    weight_cache.path_of(wild.id).unlink(missing_ok=True)
    pair = complete(
        [],
        pairs=[(NONE, wild)],
        store=store,
        backend=ExecutorBackend(again),
        progress=False,
    )
    assert pair.pair(NONE, wild) is None
    assert again.asked == [NONE]
    assert store.ids("pair") == set()
    assert store.ids() == {NONE.id, wild.id}


def test_the_bar_counts_runs_and_epochs(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    complete([NONE, STRONG], store=store, backend=ExecutorBackend(Inline()))
    shown = capfd.readouterr().err
    assert "2 of 2 runs" in shown
    assert "4/4" in shown
    complete([NONE, STRONG], store=store, backend=ExecutorBackend(Inline()))
    assert capfd.readouterr().err == ""


# ── Pairs ───────────────────────────────────────────────────────────────────────────────────────


def test_a_pair_is_the_likeness_of_the_trained_weights(expected: runs.Completed) -> None:
    record = expected.pair(STRONG, ANNEALED)
    assert record is not None
    found = record.outcome
    built = [loop.train(run).model for run in (STRONG, ANNEALED)]
    acting = [networks.effective_weights(model) for model in built]
    learned = [networks.effective_weights(_without_prior(model)) for model in built]
    # The rows that are summed are the same to the bit.
    assert found["effective"] == cosine(*acting)
    assert found["raw"] == cosine(*learned)
    assert found["initial"]["raw"] == 1.0, "arms of one seed start from the same weights"
    assert found["initial"]["effective"] < 1.0


def _without_prior(model: Any) -> Any:
    learned = [
        (layer, parametrization.learned_weight(layer).detach().clone())
        for layer, _ in parametrization.spatial_priors(model)
    ]
    parametrization.remove(model)
    for layer, weight in learned:
        layer.weight.data.copy_(weight)
    return model


def test_a_pair_brings_its_runs_and_is_measured_once(store: Store) -> None:
    first = Inline()
    found = complete(
        [],
        pairs=[(NONE, OTHER)],
        store=store,
        backend=ExecutorBackend(first),
        progress=False,
    )
    assert {run.id for run in first.asked} == {NONE.id, OTHER.id} == set(found.runs)
    assert store.ids("pair") == {pair_id(NONE, OTHER)}
    again = Inline()
    complete(
        [],
        pairs=[(NONE, OTHER)],
        store=store,
        backend=ExecutorBackend(again),
        progress=False,
    )
    assert again.asked == []


def test_a_recorded_run_whose_weights_are_gone_is_trained_again_for_its_pair(
    store: Store, expected: runs.Completed
) -> None:
    for run in (NONE, OTHER):
        store.add(expected.run(run))
    learned = trainer.train_one(NONE, keep_weights=True).weights
    assert learned is not None
    weight_cache.write(learned, weight_cache.path_of(NONE.id))
    weight_cache.path_of(OTHER.id).unlink(missing_ok=True)
    executor = Inline()
    found = complete(
        [],
        pairs=[(NONE, OTHER)],
        store=store,
        backend=ExecutorBackend(executor),
        progress=False,
    )
    assert executor.asked == [OTHER]
    assert not weight_cache.path_of(NONE.id).exists()  # nothing needs them any more
    assert not weight_cache.path_of(OTHER.id).exists()
    assert found.pair(NONE, OTHER).outcome == expected.pair(NONE, OTHER).outcome
    assert not store.conflicts()


@pytest.mark.parametrize("times", [1, 99])
def test_weights_that_another_command_removes_are_trained_again_in_this_one(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, left = recording._train, [times]

    def train_and_lose(todo: list[Run], *others: Any) -> None:
        train(todo, *others)
        if left[0]:
            left[0] -= 1
            weight_cache.path_of(OTHER.id).unlink()

    monkeypatch.setattr(recording, "_train", train_and_lose)
    pairs, backend = [(NONE, OTHER)], InProcess()
    if times > recording.TRIES:
        with pytest.raises(OSError, match=r"disappeared 3 times.*continues where this one stopped"):
            runs.complete([], pairs=pairs, store=Store(tmp_path), backend=backend, progress=False)
        return
    done = runs.complete([], pairs=pairs, store=Store(tmp_path), backend=backend, progress=False)
    assert done.pair(NONE, OTHER) is not None
    assert not weight_cache.path_of(OTHER.id).exists()


@pytest.mark.parametrize("damage", ["cut", "emptied", "another run's", "one byte"])
def test_kept_weights_that_are_damaged_are_not_used_and_made_anew(
    damage: str, store: Store, expected: runs.Completed
) -> None:
    for run in (NONE, OTHER):
        store.add(expected.run(run))
        learned = trainer.train_one(run, keep_weights=True).weights
        assert learned is not None
        weight_cache.write(learned, weight_cache.path_of(run.id))
    path, whole = weight_cache.path_of(NONE.id), weight_cache.path_of(NONE.id).read_bytes()
    path.write_bytes(
        {
            "cut": whole[:-9],
            "emptied": b"",
            "another run's": weight_cache.path_of(OTHER.id).read_bytes(),
            "one byte": whole[:-1] + bytes([whole[-1] ^ 1]),
        }[damage]
    )
    executor = Inline()
    found = complete(
        [],
        pairs=[(NONE, OTHER)],
        store=store,
        backend=ExecutorBackend(executor),
        progress=False,
    )
    assert executor.asked == [NONE]
    assert found.pair(NONE, OTHER).outcome == expected.pair(NONE, OTHER).outcome  # type: ignore[union-attr]


def test_weights_whose_rename_fails_leave_no_file_and_no_record(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match=r"Input/output error: '.*\.safetensors'"):
        complete(
            [],
            pairs=[(NONE, OTHER)],
            store=store,
            backend=ExecutorBackend(Inline()),
            progress=False,
        )
    assert store.ids() == set()
    assert not list(weight_cache.path_of("").parent.glob("*.part"))


def test_a_store_that_cannot_be_written_stops_before_anything_is_trained(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    executor = Inline()
    with pytest.raises(OSError, match=r"Read-only file system: no records can be written there"):
        complete([NONE], store=store, backend=ExecutorBackend(executor), progress=False)
    assert executor.asked == []


def test_another_result_of_a_recorded_run_is_kept_and_warned_about(
    store: Store, expected: runs.Completed
) -> None:
    altered = replace(expected.run(OTHER), outcome={"status": "finished", "epochs": {}})
    store.add(altered)
    weight_cache.path_of(OTHER.id).unlink(missing_ok=True)
    with pytest.warns(UserWarning, match="two results for one configuration"):
        found = complete(
            [],
            pairs=[(NONE, OTHER)],
            store=store,
            backend=ExecutorBackend(Inline()),
            progress=False,
        )
    assert found.run(OTHER) == altered
    (other,) = store.conflicts()
    assert read(other).outcome == expected.run(OTHER).outcome


def test_the_order_of_a_pair_makes_another_pair() -> None:
    assert pair_id(NONE, OTHER) != pair_id(OTHER, NONE)
    assert pair_id(NONE, OTHER) == pair_id(replace(NONE), replace(OTHER))


# ── Workers ─────────────────────────────────────────────────────────────────────────────────────


def test_two_workers_record_what_this_process_records_and_leave_nothing_behind(
    store: Store, expected: runs.Completed
) -> None:
    before, children = dict(os.environ), set(psutil.Process().children(recursive=True))
    found = complete(GRID, pairs=PAIRS, store=store, backend=ProcessPool(workers=2), progress=False)
    assert outcomes(found.runs) == outcomes(expected.runs)
    assert outcomes(found.pairs) == outcomes(expected.pairs)
    assert dict(os.environ) == before
    left = set(psutil.Process().children(recursive=True)) - children
    # Python's own tracker of shared resources stays until this process ends.
    assert not [
        one for one in left if not is_gone(one) and "resource_tracker" not in str(one.cmdline())
    ]
    files = [path for path in store.folders[0].rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    assert not list(weight_cache.path_of("").parent.glob("*.part"))


def test_a_worker_that_is_killed_is_replaced_and_one_worker_records_the_same(
    store: Store,
) -> None:
    grid = [replace(LONG, seed=seed) for seed in range(4)]
    killed: list[int] = []

    def kill() -> None:
        def workers() -> list[psutil.Process]:
            children = psutil.Process().children()
            return [one for one in children if "spawn_main" in " ".join(one.cmdline())]

        if soon(lambda: len(store.ids()) >= 1):
            for worker in workers():
                worker.kill()
                killed.append(worker.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    found = complete(grid, store=store, backend=ProcessPool(workers=1), progress=False)
    killer.join()
    assert len(killed) == 1, "the test came too late to kill the worker"
    assert outcomes(found.runs) == {run.id: loop.train(run).outcome for run in grid}


def test_workers_that_die_again_and_again_are_reported(
    store: Store, monkeypatch: pytest.MonkeyPatch, expected: runs.Completed
) -> None:
    started = []

    class Dying(Inline):
        def submit(self, work: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            if arguments[0] == NONE.to_dict():
                future.set_result(Trained(expected.run(NONE)))
            else:
                future.set_exception(BrokenProcessPool("killed"))
            return future

    @contextlib.contextmanager
    def pool(*_: object) -> Iterator[tuple[Executor, Callable[[], None]]]:
        started.append(1)
        yield Dying(), lambda: None

    monkeypatch.setattr(process_pool, "_pool", pool)
    with pytest.raises(WorkerError, match=r"died 3 times .*; 1 of 2 runs are recorded"):
        complete([NONE, STRONG], store=store, progress=False)
    assert len(started) == 4  # the first one finished a run
    assert store.ids() == {NONE.id}


def test_a_worker_does_not_import_the_script_that_started_it() -> None:
    main = sys.modules["__main__"]
    with process_pool._main_left_alone():
        inherited = spawn.get_preparation_data("worker")
    assert not [name for name in inherited if name.startswith("init_main")]
    assert sys.modules["__main__"] is main


@pytest.mark.slow
@pytest.mark.parametrize("how", ["from standard input", "a script without a guard"])
def test_workers_train_for_a_script_that_cannot_be_imported(how: str, tmp_path: Path) -> None:
    script = SCRIPT.replace('if __name__ == "__main__":', "if True:").replace("60", "2")
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    first, given = ("-", script) if how == "from standard input" else ("script.py", "")
    line = [sys.executable, first, str(tmp_path / "store"), "1"]
    ended = subprocess.run(line, input=given, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(Store(tmp_path / "store").ids()) == 2


def test_a_shared_memory_that_cannot_be_written_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.context.BaseContext.SimpleQueue", refuse)
    with pytest.raises(OSError, match=r"semaphores need a writable /dev/shm.*InProcess"):
        complete([NONE], store=store, backend=ProcessPool(workers=1), progress=False)


def test_what_a_worker_sends_back_fits_into_a_pipe_in_one_piece(tmp_path: Path) -> None:
    # A worker that is killed in the middle of a longer message leaves its parent waiting for ever.
    long, path = replace(NONE, hidden=(500,), epochs=50), tmp_path / "weights" / "one.safetensors"
    sent = worker.train(long.to_dict(), path)
    assert len(pickle.dumps(sent)) < 16_384  # multiprocessing writes up to this at once
    assert sent[1] is None
    assert path.stat().st_size > 4 * 500 * 192
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert worker.train(NONE.to_dict(), None)[1] is None


# ── Where a record comes from ───────────────────────────────────────────────────────────────────


def test_a_package_without_metadata_is_no_reason_to_lose_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "no-such-package"))
    found = provenance.versions()
    assert found["no-such-package"] == "not installed"
    assert found["torch"]


# ── Kills from outside ──────────────────────────────────────────────────────────────────────────

SCRIPT = """
import signal
import sys
from dataclasses import replace
from spatialnb.config.run import Run
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.execution.runs import complete
from spatialnb.records.store import Store

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    run = Run(dataset="quick-colours", hidden=(12,), epochs=60)
    grid = [replace(run, seed=seed) for seed in range(60)]
    pool = ProcessPool(workers=int(sys.argv[2]))
    complete(grid, store=Store(sys.argv[1]), backend=pool, progress=False)
"""
SIXTY = [replace(LONG, seed=seed) for seed in range(60)]


@contextlib.contextmanager
def training_process(tmp_path: Path, workers: int) -> Iterator[tuple[subprocess.Popen[str], Store]]:
    """A process of a process group of its own that trains sixty runs."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT, encoding="utf-8")
    package = str(Path(spatialnb.__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "store"), str(workers)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": package},
    )
    try:
        yield process, Store(tmp_path / "store")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def family(process: subprocess.Popen[str], store: Store, workers: int) -> list[psutil.Process]:
    """The processes below it, once they have trained something."""
    assert soon(lambda: len(store.ids()) >= 2 or process.poll() is not None)
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    below: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    assert sum("spawn_main" in " ".join(one.cmdline()) for one in below) == workers
    return below


def goes_on(store: Store) -> None:
    """Every record is whole, and the same grid continues with the others alone."""
    there = store.ids()
    assert 2 <= len(there) < len(SIXTY)
    assert all(store.find(record_id) for record_id in there)
    left = missing(SIXTY, store)
    assert len(left) == len(SIXTY) - len(there)
    executor = Inline()
    complete(
        [*(run for run in SIXTY if run.id in there), left[0]],
        store=store,
        backend=ExecutorBackend(executor),
        progress=False,
    )
    assert executor.asked == left[:1]


def test_a_killed_parent_leaves_whole_records_and_no_workers(tmp_path: Path) -> None:
    with training_process(tmp_path, 2) as (process, store):
        below = family(process, store, 2)
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
        assert soon(lambda: all(is_gone(one) for one in below)), "workers outlive their parent"
    goes_on(store)


def test_ctrl_c_leaves_the_finished_runs_and_no_workers(tmp_path: Path) -> None:
    with training_process(tmp_path, 1) as (process, store):
        below = family(process, store, 1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, shown = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
        assert shown.count("Traceback") == 1
        assert shown.rstrip().endswith("KeyboardInterrupt")
        assert soon(lambda: all(is_gone(one) for one in below)), "workers outlive their parent"
        assert not list(tmp_path.rglob("*.part"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        goes_on(store)
