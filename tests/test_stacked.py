"""The stacked engine: what the loop gives, up to the rounding of batched products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from spatialnb import datasets
from spatialnb.config.run import Decay, Run
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal, Sharpen, Static
from spatialnb.training import batched, loop

BASE = Run(dataset="quick-colours", hidden=(12, 8), batch_size=37, epochs=3)
SHARPENING = Sharpen(k_start=3, k_end=50)

RUNS = {
    "none": BASE,
    "another seed": replace(BASE, seed=7),
    "static": replace(BASE, schedule=Static(kernel=Exponential())),
    "sharpening": replace(BASE, schedule=SHARPENING),
    "annealed to none": replace(
        BASE, schedule=Anneal(start=Shuffled(kernel=Exponential()), end=Uniform())
    ),
    "a falling rate": replace(BASE, learning_rate=0.01, learning_rate_decay="linear", seed=2),
    "another rate": replace(BASE, learning_rate=0.0005),
    "AdamW": replace(BASE, optimizer="adamw", weight_decay=0.3, learning_rate_decay="cosine"),
    "on the plane": replace(BASE, schedule=SHARPENING, positions="plane", permuted_pixels=3),
}

LOSS, ACCURACY = 1e-4, 0.011
"""How far losses (relative) and accuracies (5 of 500 images) may lie from the loop's."""


def near(ours: dict[str, Any], loops: dict[str, Any]) -> bool:
    assert ours["final"] == loops["final"]
    assert list(ours["epochs"]) == list(loops["epochs"])
    return all(
        torch.allclose(
            torch.tensor(values),
            torch.tensor(loops["epochs"][name]),
            rtol=0.0 if name.endswith("accuracy") else LOSS,
            atol=ACCURACY if name.endswith("accuracy") else 0.0,
        )
        for name, values in ours["epochs"].items()
    )


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    return datasets.load("quick-colours")


def test_every_run_of_a_stack_comes_out_as_in_the_loop(data: datasets.Dataset) -> None:
    runs = list(RUNS.values())
    outcomes = batched.train(runs, data)
    loops = [loop.train(run, data).outcome for run in runs]
    for name, ours, theirs in zip(RUNS, outcomes, loops, strict=True):
        assert near(ours, theirs), name
    # The tolerance tells runs apart: no two of the loop's are near each other.
    others = [a for a in loops for b in loops if a is not b and near({**b, "final": a["final"]}, a)]
    assert not others


@pytest.mark.parametrize("sizes", [{"validation_size": 100}, {"train_size": 500}])
def test_held_out_and_fewer_images_are_those_of_the_loop(
    sizes: dict[str, int], data: datasets.Dataset
) -> None:
    run = replace(BASE, **sizes)  # type: ignore[arg-type]
    (ours,) = batched.train([run], data)
    assert near(ours, loop.train(run, data).outcome)


def test_what_stands_beside_a_run_does_not_change_it(data: datasets.Dataset) -> None:
    (alone,) = batched.train([RUNS["static"]], data)
    beside = batched.train([RUNS["sharpening"], RUNS["static"], RUNS["another seed"]], data)[1]
    assert near(alone, beside)


def test_runs_of_one_seed_share_their_batches_and_come_back_in_order(
    data: datasets.Dataset,
) -> None:
    arms = [BASE, RUNS["static"], RUNS["AdamW"]]
    runs = [replace(arm, seed=seed) for arm in arms for seed in (3, 1)]
    assert batched.by_seed(runs) == ([0, 2, 4, 1, 3, 5], 2)
    assert batched.by_seed(runs[:5]) == ([0, 1, 2, 3, 4], 5)  # a seed without one of the arms
    for ours, run in zip(batched.train(runs, data), runs, strict=True):
        assert near(ours, loop.train(run, data).outcome), run.id


def test_a_graph_is_for_cuda(data: datasets.Dataset) -> None:
    with pytest.raises(ValueError, match="graph: only CUDA records graphs"):
        batched.train([BASE], data, graph=True)


def test_a_run_that_blows_up_fails_by_itself(data: datasets.Dataset) -> None:
    wild = replace(BASE, learning_rate=1e30)
    failed, ours = batched.train([wild, BASE], data)
    assert failed == loop.train(wild, data).outcome
    assert failed["status"] == "failed"
    assert near(ours, loop.train(BASE, data).outcome)


def test_epochs_are_reported_once_for_all_runs(data: datasets.Dataset) -> None:
    seen: list[int] = []
    batched.train([BASE, RUNS["static"]], data, seen.append)
    assert seen == [1, 2, 3]


def test_stacks_hold_one_architecture_and_at_most_so_many_runs() -> None:
    wider = replace(BASE, hidden=(16, 8))
    runs = [BASE, wider, replace(BASE, seed=1), replace(wider, seed=1), replace(BASE, seed=2)]
    groups = batched.stacks(runs, 2)
    assert groups == [[runs[0], runs[2]], [runs[4]], [runs[1], runs[3]]]


@pytest.mark.parametrize(
    "other",
    [
        {"action": "cap"},
        {"decay": Decay(target=Uniform(value=0.0))},
        {"folded": ("start",)},
        {"hidden": (12, 8), "second": None, "action": "normalise"},
    ],
)
def test_what_the_engine_does_not_know_is_the_loops(other: dict[str, Any]) -> None:
    run = replace(BASE, **other)
    assert not batched.stackable(run)
    with pytest.raises(ValueError, match="cannot be stacked; train it in the loop"):
        batched.stacks([run], 2)


def test_a_new_setting_of_a_run_is_the_loops_until_this_engine_knows_it() -> None:
    known = {*batched.OWN, *batched.SHARED, "batch_size", "epochs"}
    assert known < set(vars(Run()))
    assert set(vars(Run())) - known >= {"second", "decay", "folded"}


def test_runs_that_share_no_program_and_other_data_are_refused(data: datasets.Dataset) -> None:
    with pytest.raises(ValueError, match="do not share a program"):
        batched.train([BASE, replace(BASE, epochs=2)], data)
    with pytest.raises(ValueError, match="the runs ask for 'mnist'"):
        batched.train([replace(BASE, dataset="mnist")], data)
    with pytest.raises(ValueError, match="at least 1 run"):
        batched.stacks([BASE], 0)
