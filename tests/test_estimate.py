"""How long it takes: what the range is counted from, and what is tried for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from spatialnb.commands.cli import main
from spatialnb.config.run import Run, SecondTask
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.execution import estimate, speed
from spatialnb.execution.accelerator import Accelerator
from spatialnb.execution.backend import Backend
from spatialnb.execution.estimate import Estimate, span
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.in_process import InProcess
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.training.stack import cost

BASE = Run(dataset="mnist", epochs=5)
LOW, HIGH = estimate.START
FOUR = [replace(BASE, seed=seed) for seed in range(4)]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """An epoch takes two seconds, one with pruning ten, and a pair half a second; four cores."""
    runs: list[Run] = []

    def try_one(run: Run, device: str = "cpu") -> float:
        runs.append(run)
        return 10.0 if run.prune else 2.0

    monkeypatch.setattr(speed, "seconds_of_an_epoch", try_one)
    monkeypatch.setattr(speed, "seconds_of_a_pair", lambda *_: 0.5)
    monkeypatch.setattr(estimate, "cores", lambda: 4)
    monkeypatch.setattr(estimate.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    return runs


def seconds(backend: Backend, todo: list[Run], **settings: Any) -> tuple[float, float]:
    found = estimate.of(todo, settings.pop("pairs", ()), backend, load=0.0, **settings)
    assert found is not None
    return found.least, found.most


def test_epochs_workers_and_cores_are_counted(tried: list[Run]) -> None:
    shared = estimate.SHARED_MEMORY
    assert seconds(ProcessPool(workers=1), FOUR) == pytest.approx((LOW + 40, HIGH + 44))
    assert seconds(ProcessPool(workers=2), FOUR) == pytest.approx((LOW + 20, HIGH + 20 * shared))
    assert seconds(ProcessPool(workers=4), FOUR) == pytest.approx((LOW + 10, HIGH + 10 * shared))
    twice = [*FOUR, *(replace(run, seed=run.seed + 4) for run in FOUR)]
    assert seconds(ProcessPool(workers=8), twice) == pytest.approx((LOW + 20, HIGH + 20 * shared))
    assert seconds(ProcessPool(workers=8), FOUR) == seconds(ProcessPool(workers=4), FOUR)
    assert seconds(InProcess(), FOUR)[0] == LOW + 40
    assert len(tried) == 7  # one kind each time


def test_pairs_chapters_and_other_work_are_counted(tried: list[Run]) -> None:
    none = seconds(ProcessPool(workers=4), FOUR)
    pairs = [(FOUR[0], FOUR[1]), (FOUR[2], FOUR[3])]
    with_pairs = seconds(ProcessPool(workers=4), FOUR, pairs=pairs)
    assert with_pairs == pytest.approx((none[0] + 1.0, none[1] + 1.5))
    with_page = seconds(ProcessPool(workers=4), FOUR, chapters=2)
    assert with_page == pytest.approx((none[0] + 6.0, none[1] + 60.0))
    busy = estimate.of(FOUR, (), ProcessPool(workers=4), load=4.0)
    assert busy is not None
    assert busy.least == none[0]
    assert busy.most == pytest.approx(HIGH + 2 * (none[1] - HIGH))
    assert busy.counted == "20 epochs, 4 at once on 4 cores, 4.0 other processes at work"
    frantic = estimate.of(FOUR, (), ProcessPool(workers=4), load=400.0)
    assert frantic is not None
    assert frantic.most == pytest.approx(HIGH + estimate.BUSIEST * (none[1] - HIGH))


def test_each_kind_is_tried_once_and_pruning_trains_on(tried: list[Run]) -> None:
    prune = Prune(by=("random", "magnitude"), zeros=(0.5, 0.9))
    todo = [*FOUR, replace(BASE, prune=prune)]
    assert speed.epochs(todo[-1]) == 5 + 5
    least, _ = seconds(ProcessPool(workers=1), todo)
    assert least == LOW + 4 * 5 * 2 + 10 * 10
    assert len(tried) == 2


def test_kinds_beyond_the_first_few_count_as_the_slowest(tried: list[Run]) -> None:
    many = [replace(BASE, hidden=(width, 8), epochs=9) for width in range(8, 8 + estimate.KINDS)]
    rare = replace(BASE, hidden=(64, 8), epochs=1)
    least, _ = seconds(ProcessPool(workers=1), [*many, rare])
    assert least == LOW + 2.0 * (9 * estimate.KINDS + 1)
    assert rare not in tried


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"seed": 3}, True),
        ({"learning_rate": 0.1}, True),
        ({"epochs": 99}, True),
        ({"schedule": Static(kernel=Exponential())}, False),
        ({"train_size": 100}, False),
        ({"network": "transformer"}, False),
        ({"dropout": 0.5}, False),
    ],
)
def test_a_kind_is_what_an_epoch_takes_longer_for(change: dict[str, Any], same: bool) -> None:
    assert (estimate.kind(replace(BASE, **change)) == estimate.kind(BASE)) is same


def test_two_kernels_take_as_long() -> None:
    ways = [Static(kernel=Exponential()), Sharpen(k_start=3, k_end=9)]
    one, other = (replace(BASE, schedule=way) for way in ways)
    assert estimate.kind(one) == estimate.kind(other)


def test_workers_elsewhere_are_not_estimated_from_here(tried: list[Run]) -> None:
    with ThreadPoolExecutor(1) as executor:
        assert estimate.of(FOUR, (), ExecutorBackend(executor)) is None
    assert not tried


def test_stacks_are_bounded_by_their_device(
    tried: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "_rates", lambda device: (1e9, 1e12))
    backend = Accelerator("cuda", stack="auto")
    sparse = replace(BASE, sparse=Sparse(zeros=0.5, method="set"))
    found = estimate.of([*FOUR, sparse], (), backend, load=0.0)
    assert found is not None
    bound = 4 * 5 * cost.moved(BASE) / 1e9
    assert found.least == pytest.approx(LOW + 5 * 2.0 + bound)
    assert found.most == pytest.approx(
        HIGH + 1.1 * 5 * 2.0 + estimate.OFF_BOUND * bound + estimate.COMPILING
    )
    assert "4 runs in stacks" in found.counted
    alone = estimate.of(FOUR, (), ProcessPool(workers=2, stack=2), load=0.0)
    assert alone is not None
    assert alone.least == pytest.approx(LOW + 0.8 * 40)


def test_the_work_of_a_stack_is_that_of_its_products_and_weights() -> None:
    run = Run()
    sizes = 3072 * 256 + 256 * 128 + 128 * 10
    assert cost.operations(run) == 2.0 * 50_000 * (3 * sizes - 3072 * 256)
    given = 4 * 6 * (2 * (256 + 128) + 10) * 50_000
    assert cost.moved(run) == 36 * sizes * 391 + given
    prior = replace(run, schedule=Static(kernel=Exponential()))
    assert cost.moved(prior) == 44 * sizes * 391 + given


def test_a_device_has_rates_of_its_own() -> None:
    copied, multiplied = speed._rates("cpu")
    assert copied > 1e6
    assert multiplied > 1e6


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (11.4, 67.2, "11 to 67 seconds"),
        (1.0, 1.2, "1 second"),
        (60, 120, "1 to 2 minutes"),
        (300, 310, "5 minutes"),
        (3, 130, "3 seconds to 2 minutes"),
        (2000, 9000, "33 minutes to 2.5 hours"),
        (3600, 9000, "1 to 2.5 hours"),
    ],
)
def test_a_range_has_one_unit(least: float, most: float, said: str) -> None:
    assert span(least, most) == said


def test_afterwards_it_is_said_how_near_it_was() -> None:
    given = Estimate(least=120.0, most=240.0, counted="20 epochs")
    assert given.said() == "about 2 to 4 minutes on this machine (20 epochs)"
    assert given.held(180.0) == "It took 3 minutes; the estimate was 2 to 4 minutes."
    assert given.held(600.0).endswith("That is longer: the machine was busier than expected.")
    assert given.held(100.0).endswith("That is shorter.")


# ── What is tried ───────────────────────────────────────────────────────────────────────────────


def test_seconds_of_an_epoch_are_those_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made clock: half a second a run, and a hundredth a step of 128 samples."""
    tried: list[int] = []

    def train(run: Run, data: Any, **_: Any) -> None:
        tried.append(len(data.train.y))

    monkeypatch.setattr(speed.loop, "train", train)
    ticks = itertools.count()

    def clock() -> float:
        before_or_after = next(ticks) % 2
        return before_or_after * (0.5 + 0.01 * tried[-1] / 128) if tried else 0.0

    monkeypatch.setattr(speed.time, "process_time", clock)
    run = Run(dataset="cifar10")
    assert speed.seconds_of_an_epoch(run) == pytest.approx(0.5 + 0.01 * 391, rel=0.02)
    assert tried == [512, 512, 1024]


@pytest.mark.parametrize(
    "run",
    [
        Run(dataset="quick-colours", hidden=(12, 8), train_size=200),
        Run(dataset="quick-colours", hidden=(12, 8), validation_size=100),
        Run(dataset="quick-colours", hidden=(12, 8), prune=Prune(by=("random",), zeros=(0.5,))),
        Run(dataset="quick-colours", network="convolutional", hidden=(8,), train_size=300),
        Run(dataset="imdb", hidden=(4,), train_size=200, validation_size=50),
        Run(dataset="mnist", hidden=(8, 4), second=SecondTask(dataset="imdb"), batch_size=512),
    ],
    ids=["fewer", "held out", "pruned", "convolutional", "text", "two tasks"],
)
def test_every_kind_of_run_can_be_tried_without_its_data(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "MOST", 5)
    assert speed.seconds_of_an_epoch(run) > 0.0


def test_pairs_are_tried_where_they_need_no_data() -> None:
    pair = [Run(dataset="quick-colours", hidden=(12, 8), seed=seed) for seed in (0, 1)]
    found = speed.seconds_of_a_pair(pair[0], pair[1], "similarity")
    assert found is not None
    assert found > 0.0
    assert speed.seconds_of_a_pair(pair[0], pair[1], "alignment") is None


# ── What the command says ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setattr("spatialnb.records.store.published_folder", lambda: tmp_path / "none")

    def run(*words: str) -> str:
        arguments = ["train", "v01", "--quick", "--seeds", "0-1", "--store", str(tmp_path), *words]
        result = CliRunner().invoke(main, arguments, prog_name="spatialnb")
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.mark.usefixtures("tried")
def test_a_dry_run_says_what_it_would_take_and_trains_nothing(
    call: Callable[..., str], tmp_path: Path
) -> None:
    said = call("--dry-run", "--workers", "4")
    assert "4 runs to train: about " in said
    assert " on this machine (12 epochs, 4 at once on 4 cores, 2 pairs" in said
    assert "It took" not in said
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.usefixtures("tried")
def test_a_dry_run_says_what_can_be_stacked(call: Callable[..., str]) -> None:
    assert "0 of 4 runs can be stacked, because pairs need their weights" in call(
        "--dry-run", "--stack", "9"
    )
    assert "4 of 4 runs can be stacked\n" in call("--dry-run", "--stack", "9", "--no-pairs")


@pytest.mark.usefixtures("tried")
def test_a_dry_run_says_what_a_device_that_is_there_would_take(
    call: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--device cuda" not in call("--dry-run")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    monkeypatch.setattr(speed, "_rates", lambda device: (1e12, 1e13))
    said = call("--dry-run", "--no-pairs")
    assert "With --device cuda --stack auto, on NVIDIA H100: about 3 to 75 seconds" in said


@pytest.mark.usefixtures("tried")
def test_after_a_run_the_command_says_how_near_it_was(
    call: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatialnb.execution.runs.complete", lambda *_, **__: None)
    assert "It took 0 seconds; the estimate was " in call()


@pytest.mark.usefixtures("tried")
def test_where_nothing_can_be_tried_recorded_runs_tell(
    call: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a network of one's own")

    monkeypatch.setattr(speed, "seconds_of_an_epoch", fail)
    assert "no estimate, because no similar run is recorded" in call("--dry-run")
    recorded = replace(BASE, dataset="quick-digits", seed=77, epochs=3)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one.json").write_text(
        json.dumps({"config": recorded.to_dict(), "provenance": {"seconds": 30.0}})
    )
    assert ", from the speed of recorded runs" in call("--dry-run")
