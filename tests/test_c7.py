"""c7 to c7d · The usual recipe: what was chosen, as it was before its runs."""

from __future__ import annotations

import dataclasses

import pytest

from spatialnb import report
from spatialnb.records.store import Store, published_folder
from spatialnb.studies import c7a_search as search
from spatialnb.studies import get
from spatialnb.studies.c7_usual_recipe import CHOSEN
from spatialnb.studies.c7c_in_practice import CONVOLUTION, FILTERS


def test_every_arm_has_the_draw_that_did_best_on_images_held_out() -> None:
    grid = {name: list(runs) for name, runs in search.GRID.items()}
    assert report.best_draws(search.STUDY.run(train=False), grid) == CHOSEN
    for name, draw in CHOSEN.items():
        searched = search.GRID[name][search.arm(name, draw)]
        assert get("c7").arms[name] == dataclasses.replace(searched, validation_size=None)


@pytest.mark.parametrize("draw", sorted(set(CHOSEN.values())))
def test_no_choice_stands_at_an_edge_of_what_was_drawn(draw: int) -> None:
    recipe = search.RECIPES[draw - 1]
    low, high = search.LOWEST_RATE, search.LOWEST_RATE * 2**search.OCTAVES
    tenth = (high / low) ** 0.1
    assert low * tenth < recipe.learning_rate < high / tenth
    most = search.LOWEST_DECAY * 10**search.DECADES  # below, 0 is the natural end
    assert recipe.weight_decay < most / 10 ** (search.DECADES / 10)


def test_draws_are_the_same_for_all_arms_and_within_their_ranges() -> None:
    assert len(search.RECIPES) == search.BUDGET == len({*search.RECIPES})
    settings = {
        name: [
            (run.learning_rate, run.learning_rate_decay, run.weight_decay) for run in runs.values()
        ]
        for name, runs in search.GRID.items()
    }
    assert all(one == settings["none"] for one in settings.values())


def test_the_convolution_multiplies_as_often_as_the_perceptron() -> None:
    per_image, side, channels = 0, 32, 3
    for filters in FILTERS:
        per_image += 9 * channels * filters * side**2
        channels, side = filters, side // 2
    per_image += 10 * channels
    perceptron = 3072 * 256 + 256 * 128 + 128 * 10
    assert per_image == pytest.approx(perceptron, rel=0.02)


@pytest.mark.parametrize("chapter", ["c7c", "c7d"])
def test_additions_keep_the_settings_that_were_chosen(chapter: str) -> None:
    for name, run in get(chapter).arms.items():
        base = get("c7").arms["none" if name == CONVOLUTION else name.partition(":")[0]]
        added = ("augmentation", "hidden", "dropout", "label_smoothing", "epochs", "network")
        changed = {field: getattr(base, field) for field in added}
        assert dataclasses.replace(run, **changed) == base


def test_measuring_rotation_changed_no_bit_of_the_runs_that_were_recorded_before() -> None:
    store, same = Store(published_folder()), 0
    for runs in get("c7b").configs().values():
        for run in runs:
            before = store.find(dataclasses.replace(run, rotation=None).id, "run")
            if before is not None:
                after = store.find(run.id, "run")
                assert after is not None
                quantities = before.outcome["epochs"]
                assert quantities.items() <= after.outcome["epochs"].items()
                same += 1
    assert same == 130
