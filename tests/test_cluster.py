"""Runs on somebody's workers: a Dask cluster with a worker that is killed, and other executors."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import spatialnb
from spatialnb import datasets
from spatialnb.commands.cli import main
from spatialnb.config.run import Run
from spatialnb.execution import dask_cluster, futures
from spatialnb.execution.backend import WorkerError
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.runs import complete
from spatialnb.priors import kernels
from spatialnb.priors.kernels import Exponential, Kernel
from spatialnb.priors.schedules import Static
from spatialnb.records import provenance
from spatialnb.records.store import Store
from spatialnb.training import loop

PATIENCE = 180.0
"""Seconds until a test gives up on a process: workers import torch, on busy cores slowly."""
NOWHERE = "tcp://127.0.0.1:1"
"""An address that nothing listens at."""

PLAIN = Run(dataset="quick-colours", hidden=(12,), epochs=2)
OTHER = replace(PLAIN, seed=1)
LONG = replace(PLAIN, epochs=60)  # about half a second

needs_dask = pytest.mark.skipif(
    not find_spec("distributed"), reason="dask.distributed is not installed"
)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPATIALNB_CLUSTER", raising=False)
    monkeypatch.setattr(kernels.kernels, "_kinds", dict(kernels.kernels._kinds))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def soon(happens: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def started(*words: str, **variables: str) -> subprocess.Popen[bytes]:
    package = str(Path(spatialnb.__file__).parent.parent)
    paths = [package, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", *words], env=environment, preexec_fn=_interruptible
    )


def _interruptible() -> None:
    """A shell's background job ignores Ctrl-C, and so does what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# ── A Dask cluster ──────────────────────────────────────────────────────────────────────────────


@dataclass
class Cluster:
    """A scheduler, and two workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    import json

    folder = tmp_path_factory.mktemp("dask")
    card = folder / "scheduler.json"
    quiet = {
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
        "DASK_TEMPORARY_DIRECTORY": str(folder),
    }
    where = ("--scheduler-file", str(card), "--no-dashboard")
    with contextlib.ExitStack() as stack:

        def start(*words: str) -> subprocess.Popen[bytes]:
            process = started(*words, *where, **quiet, SPATIALNB_CACHE=str(folder / "cache"))
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        one = ("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny")
        workers = [start(*one), start(*one)]

        def known() -> bool:
            with contextlib.suppress(OSError, ValueError):
                return "address" in json.loads(card.read_text("utf-8"))
            return False

        assert soon(known), "the scheduler does not start"
        address = json.loads(card.read_text("utf-8"))["address"]

        from distributed import Client

        with Client(address, timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        yield Cluster(address, workers)


def test_what_becomes_of_workers_is_said_once() -> None:
    said: list[str] = []
    there = ["a", "b"]
    watch = dask_cluster.Watch(lambda: there, said.append, there, every=0.0)
    watch()
    assert said == []
    there = ["b"]
    watch()
    watch()
    assert said == ["The worker at a was lost; its runs are tried again"]
    there = []
    watch()
    assert said[-1] == "No worker is left; waiting for one"
    there = ["c"]
    watch()
    assert said[-1] == "New workers have joined: there are 1 now"

    def nobody() -> list[str]:
        raise OSError("no answer")

    dask_cluster.Watch(nobody, said.append, ["a"], every=0.0)()
    assert len(said) == 4
    dask_cluster.Watch(nobody, said.append, ["a"], every=60.0)()


@needs_dask
def test_a_cluster_records_what_this_process_records(dask: Cluster, store: Store) -> None:
    @kernels.register("own-ramp")
    @dataclass(frozen=True, kw_only=True)
    class Ramp(Kernel):
        low: float = 0.5

        def strength(self, distance: Any) -> Any:
            return self.low + (1.0 - self.low) * distance.double()

    own = replace(PLAIN, schedule=Static(kernel=Ramp()))
    grid = [PLAIN, replace(PLAIN, schedule=Static(kernel=Exponential())), own]
    with dask_cluster.connected(dask.address) as backend:
        assert backend.parallelism == 2
        found = complete(grid, pairs=[(PLAIN, OTHER)], store=store, backend=backend, progress=False)
        again = complete(grid, store=store, backend=ExecutorBackend(Broken()), progress=False)
    for run in grid:
        record = found.run(run)
        assert record.outcome == loop.train(run).outcome
        assert (record.provenance["threads"], record.provenance["device"]) == (1, "cpu")
        assert again.run(run) == record
    assert found.run(own).provenance["definition"]
    pair = found.pair(PLAIN, OTHER)
    assert pair is not None
    with ThreadPoolExecutor(1) as here:
        ours = complete(
            [],
            pairs=[(PLAIN, OTHER)],
            store=Store(store.folders[0] / "ours"),
            backend=ExecutorBackend(here),
            progress=False,
        )
    assert pair.outcome == ours.pair(PLAIN, OTHER).outcome  # type: ignore[union-attr]


@needs_dask
def test_workers_with_another_code_are_refused(
    dask: Cluster, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "code", lambda: "another")
    with (
        dask_cluster.connected(dask.address) as backend,
        pytest.raises(WorkerError, match=r"worker on .*: its spatialnb \(.*\) differs from the"),
    ):
        complete([PLAIN], store=store, backend=backend, progress=False)
    assert store.ids() == set()


@needs_dask
def test_the_command_trains_on_the_cluster_of_the_variable(
    dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIALNB_CLUSTER", dask.address)
    arguments = ["train", "v01", "--quick", "--epochs", "1", "--store", str(tmp_path / "mine")]
    first = call(*arguments)
    assert first.exit_code == 0, first.output
    assert f"2 worker processes at {dask.address}" in first.output
    assert len(Store(tmp_path / "mine").ids()) == 4
    monkeypatch.setenv("SPATIALNB_CLUSTER", NOWHERE)
    second = call(*arguments)
    assert second.exit_code == 0, "where nothing is missing, nothing is connected"


@needs_dask
def test_ctrl_c_leaves_what_is_finished_and_nothing_on_the_cluster(
    dask: Cluster, tmp_path: Path
) -> None:
    from distributed import Client

    store = Store(tmp_path / "mine")
    words = ("spatialnb", "train", "v01", "--quick", "--epochs", "60", "--seeds", "0-19")
    process = started(*words, "--store", str(store.folders[0]), "--cluster", dask.address)
    try:
        assert soon(lambda: len(store.ids()) >= 2 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.wait()
    assert 2 <= len(store.ids()) < 40
    assert all(store.find(record_id) for record_id in store.ids())
    with Client(dask.address, set_as_default=False) as client:
        assert soon(lambda: not any(client.processing().values()))


@needs_dask
def test_a_killed_worker_costs_its_runs_in_flight_only(dask: Cluster, store: Store) -> None:
    grid = [replace(LONG, seed=seed) for seed in range(12)]
    killed: list[int] = []

    def kill() -> None:
        if soon(lambda: len(store.ids()) >= 2):
            dask.workers[0].kill()
            killed.append(len(store.ids()))

    killer = threading.Thread(target=kill)
    killer.start()
    with dask_cluster.connected(dask.address) as backend:
        found = complete(grid, store=store, backend=backend, progress=False)
    killer.join()
    assert killed, "no run was recorded in time"
    assert killed[0] < len(grid), "the test came too late to kill the worker"
    for run in grid[:3]:
        assert found.run(run).outcome == loop.train(run).outcome
    assert store.ids() == {run.id for run in grid}
    assert not store.conflicts()


@needs_dask
def test_where_no_scheduler_answers_the_command_says_so_and_ends() -> None:
    result = call("train", "v01", "--quick", "--cluster", NOWHERE, "--store", "unused")
    assert result.exit_code == 1
    assert f"Error: no Dask scheduler can be reached at {NOWHERE}" in result.output


@needs_dask
@pytest.mark.parametrize("address", ["login-node", "carrier://pigeon:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with (
        pytest.raises(ValueError, match=r"expected an address such as tcp://"),
        dask_cluster.connected(address),
    ):
        pass


def test_without_dask_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = call("train", "v01", "--quick", "--cluster", NOWHERE)
    assert result.exit_code == 1
    assert "pip install -e '.[cluster]'" in result.output


def test_workers_of_this_machine_and_a_cluster_exclude_each_other() -> None:
    result = call("train", "v01", "--quick", "--cluster", NOWHERE, "--workers", "2")
    assert result.exit_code == 2
    assert "leave out one of the two" in result.output


# ── Any executor ────────────────────────────────────────────────────────────────────────────────


class Broken(Executor):
    """Its workers are lost."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("a worker was killed"))
        return future


class Later(Executor):
    """Trains a run when so many are submitted, and counts how many wait at once."""

    def __init__(self, ahead: int) -> None:
        self.ahead, self.most = ahead, 0
        self.waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(lambda: future.set_result(work(*arguments, **named)))
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) == self.ahead:
            while self.waiting:
                self.waiting.pop()()
        return future


def test_loky_records_what_this_process_records(store: Store) -> None:
    loky = pytest.importorskip("joblib.externals.loky")
    executor = loky.get_reusable_executor(max_workers=1)
    try:
        found = complete([PLAIN], store=store, backend=ExecutorBackend(executor), progress=False)
    finally:
        executor.shutdown(wait=True, kill_workers=True)
    assert found.run(PLAIN).outcome == loop.train(PLAIN).outcome


def test_threads_share_kernels_of_one_s_own_with_this_process(store: Store) -> None:
    @kernels.register("own-step")
    @dataclass(frozen=True, kw_only=True)
    class Step(Kernel):
        def strength(self, distance: Any) -> Any:
            return (distance <= 0.5).double()

    run = replace(PLAIN, schedule=Static(kernel=Step()))
    with ThreadPoolExecutor(2) as executor:
        found = complete(
            [run, PLAIN], store=store, backend=ExecutorBackend(executor), progress=False
        )
    assert found.run(run).run == run
    assert kernels.kernels.get("own-step") is Step


def test_lost_workers_are_reported(store: Store) -> None:
    with pytest.raises(WorkerError, match=r"lost \(a worker was killed\); 2 runs are left"):
        complete([PLAIN, OTHER], store=store, backend=ExecutorBackend(Broken()), progress=False)


def test_runs_are_submitted_a_number_of_them_ahead(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(futures, "AHEAD", 3)
    executor = Later(3)
    grid = [replace(PLAIN, epochs=1, seed=seed) for seed in range(9)]
    complete(grid, store=store, backend=ExecutorBackend(executor), progress=False)
    assert executor.most == 3
    assert store.ids() == {run.id for run in grid}


def test_data_that_are_missing_at_a_worker_are_said_with_its_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Any:
        raise FileNotFoundError(f"{name}: put it somewhere")

    monkeypatch.setattr(datasets, "load", load)
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(FileNotFoundError, match=f"worker on {platform.node()}: mnist: put it"),
    ):
        complete(
            [replace(PLAIN, dataset="mnist")],
            store=store,
            backend=ExecutorBackend(executor),
            progress=False,
        )
