"""Another device than the processor, without one at hand: torch's ``meta`` holds no numbers, but
says where a tensor is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spatialnb import datasets
from spatialnb.commands.publish import objection
from spatialnb.config.run import Run, SecondTask
from spatialnb.config.sparsity import Sparse
from spatialnb.execution import runs, trainer
from spatialnb.execution.accelerator import Accelerator
from spatialnb.execution.backend import Backend
from spatialnb.execution.in_process import InProcess
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.records import answers
from spatialnb.records.provenance import describe
from spatialnb.records.store import Record, Store
from spatialnb.studies import STUDIES, WITHOUT_PAGE, get
from spatialnb.training import batched, loop, multitask
from spatialnb.training.build import build
from spatialnb.training.evaluation import evaluate

BASE = Run(dataset="quick-colours", hidden=(12, 8), epochs=2)
SPARSE = replace(BASE, sparse=Sparse(zeros=0.5, method="set"))
NUMBERLESS = r"item\(\) cannot be called on meta tensors|Cannot copy out of meta tensor"
"""Where numbers are wanted on this side: at the end of an epoch, and not before."""

ARMS = {
    f"{study.id}/{arm}": run
    for study in STUDIES.values()
    for arm, run in list(study.arms.items())[:: 1 if study.id in ("c4", "c6d") else 5]
    if run.second is None
}


class OneDevice(TorchDispatchMode):
    """Every operation has its tensors on one device, but for copies from one to another."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = {one.device.type for one in inputs if one.ndim > 0}
        assert len(there) < 2 or "copy" in func.__name__, f"{func} on {sorted(there)}"
        return func(*args, **(kwargs or {}))


@pytest.fixture
def unfused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fused optimisers refuse this device."""

    for name in ("Adam", "AdamW", "SGD"):
        make = functools.partial(_unfused, getattr(torch.optim, name))
        monkeypatch.setattr(torch.optim, name, make)


def _unfused(make: Any, parameters: Any, **settings: Any) -> torch.optim.Optimizer:
    optimizer: torch.optim.Optimizer = make(
        parameters, **{**settings, "fused": False, "foreach": False}
    )
    return optimizer


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    return datasets.load("quick-colours")


@pytest.mark.usefixtures("unfused")
@pytest.mark.parametrize("run", ARMS.values(), ids=ARMS)
def test_an_epoch_of_every_kind_of_run_is_on_the_device_alone(
    run: Run, data: datasets.Dataset
) -> None:
    held_out = run.validation_size and 100
    small = replace(
        run, dataset="quick-colours", epochs=2, train_size=300, validation_size=held_out
    )
    with OneDevice(), pytest.raises(RuntimeError, match=NUMBERLESS):
        loop.train(small, data, device="meta")


def test_the_check_notices_a_tensor_that_was_left_behind() -> None:
    with OneDevice(), pytest.raises(AssertionError, match=r"mul\.Tensor on \['cpu', 'meta'\]"):
        torch.ones(3, device="meta") * torch.ones(3)


@pytest.mark.usefixtures("unfused")
def test_two_tasks_and_a_stack_are_on_the_device_too(data: datasets.Dataset) -> None:
    second = SecondTask(dataset="quick-colours", shared=True)
    run = replace(BASE, second=second, schedule=Static(kernel=Exponential()))
    with OneDevice(), pytest.raises(RuntimeError, match=NUMBERLESS):
        multitask.train(run, (data, data), device="meta")
    stack = [replace(BASE, schedule=Sharpen(k_start=3, k_end=50)), replace(BASE, seed=1)]
    convolutional = [replace(run, network="convolutional") for run in stack]
    for group in (stack, convolutional):
        with OneDevice(), pytest.raises(RuntimeError, match=NUMBERLESS):
            batched.train(group, data, options=batched.Options(device="meta"))


def test_a_network_is_measured_where_its_data_are(data: datasets.Dataset) -> None:
    there = data.to(torch.device("meta"))
    model = build(BASE, data.shape, data.classes).to("meta")
    with OneDevice(), pytest.raises(RuntimeError, match=NUMBERLESS):
        evaluate(model, there, there.test)


def test_the_processor_by_name_gives_the_same_bits(data: datasets.Dataset) -> None:
    run = replace(BASE, sparse=Sparse(zeros=0.5, method="set"))
    trained = loop.train(run, data, device="cpu")
    assert trained.outcome == loop.train(run, data).outcome
    assert {one.device.type for one in trained.model.state_dict().values()} == {"cpu"}


# ── Many runs ───────────────────────────────────────────────────────────────────────────────────


def test_stacked_runs_are_recorded_as_such_and_the_others_are_the_loops(tmp_path: Any) -> None:
    store = Store(tmp_path)
    grid = [BASE, replace(BASE, seed=1), replace(BASE, seed=2), SPARSE]
    done = runs.complete(grid, store=store, backend=ProcessPool(workers=1, stack=2), progress=False)
    made = [done.run(run).provenance["engine"] for run in grid]
    assert made == ["stacked", "stacked", "stacked", "loop"]
    stacks = [done.run(run).provenance.get("stack", {}).get("runs") for run in grid]
    assert stacks == [2, 2, 1, None]
    assert all(answers.answers_of(run, store) is not None for run in grid)
    assert all(done.run(run).config == run.to_dict() for run in grid)
    loop = trainer.train_one(BASE)[0]
    ours = done.run(BASE).outcome["epochs"]["train_loss"]
    assert ours == pytest.approx(loop.outcome["epochs"]["train_loss"], rel=1e-4)
    again = runs.complete(grid, store=store, progress=False, train=False)
    assert again.runs.keys() == done.runs.keys()


def test_in_process_and_a_device_by_name_record_what_the_loop_gives(tmp_path: Any) -> None:
    pair = (BASE, replace(BASE, seed=1))
    for name, backend in {"here": InProcess(), "there": Accelerator("cpu")}.items():
        store = Store(tmp_path / name)
        done = runs.complete(pair, pairs=[pair], store=store, backend=backend, progress=False)
        assert done.run(BASE).outcome == trainer.train_one(BASE)[0].outcome
        assert done.pair(*pair) is not None


def test_a_stack_in_process_leaves_the_others_to_the_loop(
    tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    grid = [BASE, replace(BASE, seed=1), SPARSE]
    done = runs.complete(grid, store=Store(tmp_path), backend=InProcess(stack=9))
    made = [done.run(run).provenance["engine"] for run in grid]
    assert made == ["stacked", "stacked", "loop"]
    shown = capfd.readouterr().err
    assert "2 runs at once" in shown
    said = (
        "2 of 3 runs can be stacked; 1 are trained one by one, because stacks do not support sparse"
    )
    assert f"{said}\n" in shown
    assert "3 of 3 runs" in shown
    assert "6/6" in shown


def test_runs_that_leave_their_weights_for_a_pair_are_the_loops_and_that_is_said(
    tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    pair = (BASE, replace(BASE, seed=1))
    done = runs.complete(
        pair, pairs=[pair], store=Store(tmp_path), backend=ProcessPool(workers=1, stack=9)
    )
    said = "0 of 2 runs can be stacked, because pairs need their weights\n"
    assert said in capfd.readouterr().err
    assert [done.run(run).provenance["engine"] for run in pair] == ["loop", "loop"]
    assert done.pair(*pair) is not None


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (lambda: Accelerator("nowhere"), "device 'nowhere' cannot be used here"),
        (lambda: Accelerator("cuda", stack=0), "stack: expected at least 1, or auto, got 0"),
        (lambda: Accelerator("cpu", stack="auto"), "give a number of runs for the device 'cpu'"),
        (
            lambda: Accelerator("cpu", stack=2, precision="tf32"),
            "tf32 is only for stacks on a CUDA",
        ),
        (lambda: Accelerator("cuda", stack=2, precision="half"), "float32 or tf32, got 'half'"),
        (lambda: Accelerator("cuda", precision="tf32"), "give the number of runs as stack"),
        (lambda: InProcess(stack=0), "stack: expected at least 1, or auto, got 0"),
        (lambda: ProcessPool(stack=0), "stack: expected at least 1, or auto, got 0"),
        (lambda: ProcessPool(workers=0), "workers: expected at least 1, got 0"),
    ],
)
def test_a_place_that_is_not_there_is_refused_before_anything_is_trained(
    place: Callable[[], Backend], message: str, tmp_path: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        runs.complete([BASE], store=Store(tmp_path), backend=place(), progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made", [{"engine": "stacked"}, {"device": "NVIDIA H100"}])
def test_only_the_loops_records_from_a_processor_are_published(made: dict[str, str]) -> None:
    def record(**made: str) -> Record:
        provenance = {"commit": "0" * 40, **describe({}, 1.0, **made)}
        return Record(kind="run", config=Run().to_dict(), outcome={}, provenance=provenance)

    assert objection(record()) == ""
    assert "the book accepts only records of the loop on a CPU" in objection(record(**made))
    assert objection(record(**made), any_engine=True) == ""


def test_only_searches_and_large_studies_take_any_engine() -> None:
    """The log's own chapters, and those behind the first page's findings, are the loop's."""
    any_engine = {name for name in [*STUDIES, *WITHOUT_PAGE] if get(name).any_engine}
    searches = {"c7e", "c7g", "c9a", "c9b", "c9c", "c9d", "c9e", "c9i"}
    assert any_engine == {*searches, "m1", "c7d", "c7h", "c8", "c8b", "c9f", "c9g", "c9h"}
    assert all(run.validation_size for name in searches for run in get(name).arms.values())
    assert not any(get(name).claims for name in searches)
