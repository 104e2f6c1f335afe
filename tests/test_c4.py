"""c4 · Sparse, or only small: its grid and its claims, as they were written before its runs."""

from __future__ import annotations

import itertools
import math

import pytest
import synthetic

from spatialnb.geometry import layer_distance
from spatialnb.kernels import Averaged, Exponential, share_below
from spatialnb.schedules import Sharpen, Static
from spatialnb.sparse import count
from spatialnb.studies import get

STUDY = get("c4")
SHAPES = ((256, 3072), (128, 256), (10, 128))

FIRST_RUNS = {
    "none": "d94cf1a4fd45ffe4",
    "k 3 → 50": "39c9bdf69e5aae52",
    "k 3 → 100": "19d71e4f83ec3095",
    "floor 0": "2a0ccb5448d50a29",
    "one number": "1f66438323206fe7",
    "random mask, 81.4 %": "91f18317924ee32d",
    "SET, 81.4 %": "77a3007d74fe8409",
    "RigL, 81.4 %": "09c9312f2e7b3e8a",
    "narrower, 81.4 %": "38ff00a9cf708359",
    "random mask, 94.2 %": "5f551d3d59f0b4c9",
    "SET, 94.2 %": "3b545e974db81bb2",
    "RigL, 94.2 %": "c0799bdd9a200a3c",
    "narrower, 94.2 %": "ef75bb7bc70c395b",
    "band mask": "fbac5d3c211aaadb",
    "RigL, one number": "2282dbff8c4e52e6",
    "narrower, one number": "fd4c9db2d2d1033b",
}
"""Ids of the runs of seed 0: they name records, so they may never move by accident."""

RULES = {
    "small-weights-idle": "at_least",
    "small-weights-idle-at-50": "at_least",
    "one-epoch-restores": "at_least",
    "floor-not-needed": "at_least",
    "floor-zero-idle": "at_least",
    "distance-beats-magnitude": "beats",
    "beats-pruning-none": "beats",
    "beats-pruning-one-number": "beats",
    "beats-random-mask": "beats",
    "beats-narrower": "beats",
    "as-good-as-sparse-training": "at_least",
    "as-good-as-one-number": "at_least",
    "floor-zero-beats-random-mask": "beats",
    "band-beats-random": "beats",
}


def test_the_runs_keep_their_ids() -> None:
    assert {arm: run.id for arm, run in STUDY.arms.items()} == FIRST_RUNS


def test_the_claims_and_their_rules_stay_as_they_were_written() -> None:
    assert {claim.key: claim.rule for claim in STUDY.claims} == RULES
    assert {claim.chapter for claim in STUDY.claims} == {"c4"}
    assert {claim.margin for claim in STUDY.claims} == {0.5}
    assert STUDY.seeds == tuple(range(10))
    assert STUDY.reported == ()


def test_what_is_compared_at_the_level_of_the_claims_is_at_that_level() -> None:
    for claim in STUDY.claims:
        named = " ".join([*claim.arms, *claim.metrics])
        assert ("88.6" in named) == (claim.key == "small-weights-idle-at-50")
        assert "81.4" not in named


def test_the_highest_level_of_the_claims_is_the_sparsity_that_the_report_prints() -> None:
    strengths = [Exponential(k=100).strength(layer_distance(*shape)) for shape in SHAPES]
    assert round(100 * share_below(strengths), 1) == 94.2
    kept, total = (
        sum(numbers) for numbers in ([count(s, 0.942) for s in SHAPES], map(math.prod, SHAPES))
    )
    assert round(100 * (1 - kept / total), 1) == 94.2


@pytest.mark.parametrize("level", ["81.4 %", "94.2 %"])
def test_a_narrower_network_has_as_many_weights_as_the_others(level: str) -> None:
    zeros = float(level.split()[0]) / 100
    run = STUDY.arms[f"narrower, {level}"]
    ours = sum(a * b for a, b in itertools.pairwise([3072, *run.hidden, 10]))
    theirs = sum(count(shape, zeros) for shape in SHAPES)
    assert 0 <= theirs - ours < run.hidden[0] + 10


def test_one_number_is_the_mean_strength_of_the_sharpened_arm() -> None:
    sharpened = STUDY.arms["k 3 → 100"].schedule
    assert sharpened == Sharpen(k_start=3, k_end=100)
    for arm in ("one number", "RigL, one number", "narrower, one number"):
        for at in (0.0, 0.5, 1.0):
            assert STUDY.arms[arm].schedule.at(at) == Averaged(kernel=sharpened.at(at))


def test_the_other_sparse_arms_have_no_prior() -> None:
    for arm, run in STUDY.arms.items():
        if run.prune is None and "one number" not in arm:
            assert run.schedule == Static()


def test_claims_are_judged_when_all_seeds_are_there() -> None:
    findings = synthetic.results(STUDY).findings()
    assert [found.claim.key for found in findings] == list(RULES)
    assert not [found for found in findings if found.verdict == "not judged"]
