"""How many runs fit on a device, and what happens where there is no room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.execution import runs, trainer
from spatialnb.execution.accelerator import Accelerator
from spatialnb.execution.in_process import InProcess
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Store
from spatialnb.training import networks
from spatialnb.training.stack import memory

GIB = 2**30
BASE = Run(dataset="quick-colours", hidden=(12, 8), epochs=2)
FIVE = [replace(BASE, seed=seed) for seed in range(5)]


def test_a_run_takes_its_weights_its_batch_and_its_order() -> None:
    run = Run()
    weights = 3072 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    given = 3 * (2 * (256 + 128) + 10)
    order = 8 * 50_000
    assert memory.bytes_per_run(run) == 4 * (4 * weights + 128 * (3072 + given)) + order
    prior = memory.bytes_per_run(replace(run, schedule=Static(kernel=Exponential())))
    assert prior - memory.bytes_per_run(run) == 4 * 2 * (weights - 256 - 128 - 10)


def test_a_thousand_runs_with_a_prior_fit_into_eighty_gigabytes_and_not_into_sixteen() -> None:
    run = Run(schedule=Static(kernel=Exponential()))
    assert memory.fitting(run, 78 * GIB) > 1000
    assert 100 < memory.fitting(run, 16 * GIB) < 1000
    assert memory.fitting(run, 0) == 1
    assert memory.fitting(replace(run, network="convolutional"), 78 * GIB) < memory.fitting(
        replace(run, network=None), 78 * GIB
    )


def test_many_runs_are_measured_on_fewer_samples_at_once() -> None:
    entry = edition("cifar10")
    model = networks.initialise(Run(), entry.shape, entry.classes)
    assert memory.chunk(model, entry.shape, 1, 2000) == 2000
    fewer = memory.chunk(model, entry.shape, 1000, 2000)
    assert 100 < fewer < 2000
    assert memory.chunk(model, entry.shape, 10**9, 2000) == 1


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Stacks of more than so many runs find no memory; the sizes that are tried."""

    def most(room: int) -> list[int]:
        sizes: list[int] = []
        train = trainer.train_stack

        def try_stack(stack: Any, how: Any, *rest: Any) -> Any:
            sizes.append(len(stack))
            if len(stack) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return train(stack, replace(how, device="cpu", size=1), *rest)

        monkeypatch.setattr(trainer, "train_stack", try_stack)
        return sizes

    return most


def test_a_stack_without_room_is_trained_as_two(
    tried: Callable[[int], list[int]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sizes = tried(2)
    store = Store(tmp_path)
    done = runs.complete(FIVE, store=store, backend=InProcess(stack=5))
    assert sizes == [5, 3, 2, 1, 2]
    assert len(done.runs) == 5
    shown = capfd.readouterr().err
    assert "5 runs at once do not fit in memory: trying 3" in shown
    assert "10/10" in shown


def test_a_run_alone_without_room_is_an_error(
    tried: Callable[[int], list[int]], tmp_path: Path
) -> None:
    tried(0)
    with pytest.raises(torch.OutOfMemoryError):
        runs.complete(FIVE, store=Store(tmp_path), backend=InProcess(stack=2), progress=False)


def test_auto_takes_as_many_as_the_device_has_room_for(
    tried: Callable[[int], list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sizes = tried(9)
    monkeypatch.setattr(Accelerator, "check", lambda self: None)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 78 * GIB)
    monkeypatch.setattr(memory, "fitting", lambda run, free: 2 if free == 78 * GIB else 9)
    done = runs.complete(FIVE, store=Store(tmp_path), backend=Accelerator("cuda", stack="auto"))
    assert sizes == [2, 2, 1]
    assert len(done.runs) == 5
    assert "2 of these runs at once fit in the memory of cuda" in capfd.readouterr().err
