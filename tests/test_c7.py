"""c7a: the search over the usual recipe is the same for every arm, and as it was drawn."""

from __future__ import annotations

import math

from spatialnb import studies
from spatialnb.studies import c7a_search as c7a
from spatialnb.studies import c9a_search as c9a
from spatialnb.studies import c9b_wider_search as c9b


def test_every_arm_is_tried_at_the_same_draws_and_never_sees_a_test_image() -> None:
    for runs in c7a.GRID.values():
        assert [run.learning_rate for run in runs.values()] == [
            r.learning_rate for r in c7a.RECIPES
        ]
        assert {run.validation_size for run in runs.values()} == {5000}
        assert {run.optimizer for run in runs.values()} == {"adamw"}
    assert len({run.id for run in c7a.STUDY.arms.values()}) == c7a.BUDGET * len(c7a.ARMS)


def test_draws_lie_in_their_ranges_and_use_them() -> None:
    rates = [recipe.learning_rate for recipe in c7a.draws(400)]
    decays = [recipe.weight_decay for recipe in c7a.draws(400)]
    assert 0.0005 <= min(rates) < 0.00055
    assert 0.058 < max(rates) <= 0.064
    assert 0.15 < sum(decay == 0.0 for decay in decays) / 400 < 0.25
    assert 0.003 <= min(decay for decay in decays if decay) < max(decays) <= 3.0
    middle = sum(math.log(rate) for rate in rates) / 400
    assert abs(middle - math.log(0.0005 * 0.064) / 2) < 0.2


def test_a_longer_search_begins_with_the_shorter_one() -> None:
    assert c7a.draws(80)[: c7a.BUDGET] == c7a.RECIPES
    assert tuple(c7a.RECIPES[0]) == (0.0024, "linear", 0.0085)


def test_a_study_without_a_page_can_be_named_and_is_in_no_list() -> None:
    assert studies.get("c7a") is c7a.STUDY
    assert [study.id for study in studies.select(["m1"])] == ["m1"]
    assert not set(studies.WITHOUT_PAGE) & {*studies.STUDIES, *studies.PAGES}
    assert "m1" not in {study.id for study in studies.select(["all"])}


def test_sparse_arms_are_tried_at_the_first_draws_and_are_sparse_in_the_first_layer_alone() -> None:
    for study in (c9a, c9b):
        for name, runs in study.GRID.items():
            assert [run.learning_rate for run in runs.values()] == [
                recipe.learning_rate for recipe in c7a.RECIPES[:20]
            ]
            for run in runs.values():
                assert run.validation_size == 5000
                assert name == "dense" or (run.sparse is not None and run.sparse.layers == "first")
        assert len({run.id for run in study.STUDY.arms.values()}) == 20 * len(study.ARMS)


def test_a_search_takes_the_place_of_the_permutation_from_c3() -> None:
    assert c9a.ARMS["permuted"].permuted_pixels == c7a.ARMS["permuted, k = 15"].permuted_pixels
    assert c9a.ARMS["line"].positions is None
    assert c9a.ARMS["nearest"].positions == "plane"
