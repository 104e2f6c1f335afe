"""Which runs share a program, and in which groups."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.run import Decay, Run, SecondTask
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors.actions import actions
from spatialnb.priors.kernels import Uniform
from spatialnb.training.stack import sharing

BASE = Run(dataset="quick-colours", hidden=(12, 8), batch_size=37, epochs=3)
DECAY = Decay(target=Uniform(value=0.0))


def test_stacks_hold_one_architecture_and_at_most_so_many_runs() -> None:
    wider = replace(BASE, hidden=(16, 8))
    runs = [BASE, wider, replace(BASE, seed=1), replace(wider, seed=1), replace(BASE, seed=2)]
    groups = sharing.stacks(runs, 2)
    assert groups == [[runs[0], runs[2]], [runs[4]], [runs[1], runs[3]]]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=40, unique=True),
    st.integers(1, 12),
)
def test_every_run_stands_in_one_stack_of_few_and_of_about_one_size(
    chosen: list[tuple[int, int]], most: int
) -> None:
    runs = [replace(BASE, seed=seed, learning_rate=rate / 1000) for seed, rate in chosen]
    groups = sharing.stacks(runs, most)
    assert sorted(run.id for group in groups for run in group) == sorted(run.id for run in runs)
    assert max(map(len, groups)) <= most
    assert len(groups) <= -(-len(runs) // most) + 1


def test_a_grid_is_divided_into_whole_seeds() -> None:
    grid = [
        replace(BASE, seed=seed, learning_rate=rate)
        for rate in (0.001, 0.002, 0.003)
        for seed in range(20)
    ]
    random.Random(0).shuffle(grid)
    groups = sharing.stacks(grid, 14)
    assert [len(group) for group in groups] == [12] * 5
    assert all(sharing.by_seed(group).seeds == 4 for group in groups)


def test_runs_of_one_seed_stand_together_where_each_seed_has_as_many() -> None:
    runs = [
        replace(BASE, seed=seed, learning_rate=rate)
        for rate in (0.001, 0.002, 0.003)
        for seed in (3, 1)
    ]
    assert sharing.by_seed(runs) == ([0, 2, 4, 1, 3, 5], 2)
    assert sharing.by_seed(runs[:5]) == ([0, 1, 2, 3, 4], 5)  # a seed without one of the rates


def test_a_search_over_rates_and_decays_is_one_stack() -> None:
    search = [
        replace(
            BASE,
            optimizer="adamw",
            learning_rate=rate,
            weight_decay=decay,
            learning_rate_decay=fall,
            seed=seed,
        )
        for rate in (0.0001, 0.001)
        for decay in (0.0, 0.1)
        for fall in (None, "linear", "cosine")
        for seed in (0, 1)
    ]
    assert len(sharing.stacks(search, 100)) == 1


def test_decays_that_keep_signs_and_those_that_do_not_are_two_programs() -> None:
    ways = [replace(BASE, decay=replace(DECAY, keep_sign=keeps)) for keeps in (None, True)]
    assert len(sharing.stacks([*ways, replace(BASE, decay=replace(DECAY, weight=0.1))], 9)) == 2


@pytest.mark.parametrize(
    ("other", "setting"),
    [
        ({"folded": ("start",)}, "folded"),
        ({"second": SecondTask()}, "second"),
        ({"sparse": Sparse(zeros=0.5, method="set")}, "sparse"),
        ({"prune": Prune(by=("random",), zeros=(0.5,))}, "prune"),
        ({"asymmetric": Asymmetric()}, "asymmetric"),
        ({"sparse": Sparse(zeros=0.5)}, "sparse"),
        ({"optimizer": "madam"}, "optimizer"),
        ({"dropout": 0.5}, "dropout"),
    ],
)
def test_what_a_stack_does_not_know_is_the_loops(other: dict[str, Any], setting: str) -> None:
    run = replace(BASE, **other)
    assert sharing.unknown_settings(run) == [setting]
    assert not sharing.stackable(run)
    with pytest.raises(ValueError, match="cannot be stacked; train it in the loop"):
        sharing.stacks([run], 2)


def test_a_mask_of_the_first_layer_that_stays_is_known_where_the_prior_multiplies() -> None:
    masked = replace(BASE, sparse=Sparse(zeros=0.5, layers="first"))
    assert sharing.stackable(masked)
    assert not sharing.stackable(replace(masked, action="normalise"))


def test_sgd_has_a_stack_for_itself() -> None:
    runs = [replace(BASE, optimizer=one, seed=seed) for one in ("adam", "sgd") for seed in (0, 1)]
    assert [[run.optimizer for run in stack] for stack in sharing.stacks(runs, 9)] == [
        ["adam", "adam"],
        ["sgd", "sgd"],
    ]


def test_an_action_of_your_own_is_the_loops() -> None:
    actions.register("halved-for-a-test")(lambda weight, strength: weight * strength / 2)
    try:
        own = replace(BASE, action="halved-for-a-test")
        assert sharing.unknown_settings(own) == ["action"]
    finally:
        actions.forget("halved-for-a-test")


def test_a_new_setting_of_a_run_is_the_loops_until_stacks_know_it() -> None:
    known = {*sharing.OWN, *sharing.SHARED}
    assert known < set(vars(Run()))
    assert set(vars(Run())) - known >= {"second", "prune", "folded", "interventions"}


def test_a_stack_has_a_run() -> None:
    with pytest.raises(ValueError, match="at least 1 run"):
        sharing.stacks([BASE], 0)
