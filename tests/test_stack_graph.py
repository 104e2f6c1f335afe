"""Steps recorded as a graph, with what CUDA does made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import torch

from spatialnb.training.stack import graph
from spatialnb.training.stack.graph import Steps


class Made:
    """A graph that makes the step it was recorded from."""

    recording = False

    def __init__(self) -> None:
        self.replay = lambda: done.append("replayed")


done: list[str] = []


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()

    @contextlib.contextmanager
    def record(_: Made) -> Iterator[None]:
        Made.recording = True
        yield
        Made.recording = False

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Made)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(graph, "_on_stream", lambda device: contextlib.nullcontext())


def step() -> None:
    if not Made.recording:
        done.append("launched")


@pytest.mark.usefixtures("cuda")
def test_the_first_steps_warm_up_and_count() -> None:
    steps = Steps(step, torch.device("cuda"), True, pytest.fail)
    steps.run(2)
    assert not steps.recorded
    steps.run(4)
    assert steps.recorded
    assert done == ["launched"] * 3 + ["replayed"] * 3


@pytest.mark.usefixtures("cuda")
def test_where_nothing_can_be_recorded_each_is_launched_and_that_is_said_once() -> None:
    said: list[str] = []

    def refuse() -> None:
        if Made.recording:
            Made.recording = False
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        done.append("launched")

    steps = Steps(refuse, torch.device("cuda"), True, said.append)
    steps.run(6)
    assert done == ["launched"] * 6
    assert said == [
        "a CUDA graph cannot be recorded (operation not permitted when stream is capturing); "
        "steps are launched one by one"
    ]
    assert not steps.recorded


@pytest.mark.usefixtures("cuda")
def test_without_a_graph_every_step_is_launched() -> None:
    Steps(step, torch.device("cpu"), False, pytest.fail).run(5)
    assert done == ["launched"] * 5
