"""c7e to c7h, c9 to c9i · Searches: what was chosen, as it was before the runs."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import pytest

from spatialnb import report
from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.studies import (
    c7a_search,
    c7e_scalar_search,
    c7f_false_positions,
    c7g_convolution_search,
    c7h_convolutions,
    c9_local_and_sparse,
    c9a_search,
    c9b_wider_search,
    c9c_levels_search,
    c9d_longer_search,
    c9e_digits_search,
    c9f_how_far,
    c9g_sixty_epochs,
    c9h_digits,
    c9i_scalar_search,
)
from spatialnb.studies.c7a_search import arm
from spatialnb.training.build import build
from spatialnb.training.networks import linear_layers

CHOICES: list[tuple[ModuleType, ModuleType, dict[str, int], str]] = [
    (c7e_scalar_search, c7f_false_positions, c7f_false_positions.CHOSEN, ""),
    (c7g_convolution_search, c7h_convolutions, c7h_convolutions.CHOSEN, ""),
    (c9a_search, c9_local_and_sparse, c9_local_and_sparse.CHOSEN, ""),
    (c9b_wider_search, c9f_how_far, c9f_how_far.CHOSEN_WIDE, "wide: "),
    (c9i_scalar_search, c9_local_and_sparse, c9_local_and_sparse.CHOSEN_WITH_SCALAR, ""),
    (c9i_scalar_search, c9f_how_far, c9f_how_far.CHOSEN_WITH_SCALAR, ""),
    (c9c_levels_search, c9f_how_far, c9f_how_far.CHOSEN, ""),
    (c9d_longer_search, c9g_sixty_epochs, c9g_sixty_epochs.CHOSEN, ""),
    (c9e_digits_search, c9h_digits, c9h_digits.CHOSEN, ""),
]
"""A search, the study that trains its choices, the choices, and a prefix of its arms there."""
NAMES = [f"{search.STUDY.id} for {trained.STUDY.id}" for search, trained, _, _ in CHOICES]


@pytest.mark.parametrize(("search", "trained", "chosen", "prefix"), CHOICES, ids=NAMES)
def test_every_arm_has_the_draw_that_did_best_on_images_held_out(
    search: ModuleType, trained: ModuleType, chosen: dict[str, int], prefix: str
) -> None:
    grid = {name: list(search.GRID[name]) for name in chosen}
    arms = {one: search.STUDY.arms[one] for names in grid.values() for one in names}
    searched = dataclasses.replace(search.STUDY, arms=arms, baseline=next(iter(arms)))
    assert report.best_draws(searched.run(train=False), grid) == chosen
    for name, draw in chosen.items():
        found = search.GRID[name][arm(name, draw)]
        assert trained.STUDY.arms[f"{prefix}{name}"] == dataclasses.replace(
            found, validation_size=None
        )


@pytest.mark.parametrize(("search", "trained", "chosen", "prefix"), CHOICES, ids=NAMES)
def test_no_choice_stands_at_an_edge_of_what_was_drawn(
    search: ModuleType, trained: ModuleType, chosen: dict[str, int], prefix: str
) -> None:
    runs = [run for arms in search.GRID.values() for run in arms.values()]
    rates = [run.learning_rate for run in runs]
    strongest = 10.0 if c9a_search.STRONGER[0] in getattr(search, "DRAWS", ()) else 3.0
    lowest = c7a_search.LOWEST_RATE / (8 if min(rates) < c7a_search.LOWEST_RATE else 1)
    tenth = (max(rates) / min(rates)) ** 0.1
    for name, draw in chosen.items():
        run = search.GRID[name][arm(name, draw)]
        assert lowest * tenth < run.learning_rate < max(rates) / tenth, name
        assert (run.weight_decay or 0.0) < strongest / 10 ** (c7a_search.DECADES / 10), name


@pytest.mark.parametrize(
    "search", [c9b_wider_search, c9d_longer_search, c9e_digits_search, c9i_scalar_search]
)
def test_draws_added_to_a_search_stand_behind_the_first_ones_and_in_all_arms(
    search: ModuleType,
) -> None:
    assert search.DRAWS[: c9a_search.BUDGET] == c9a_search.draws()
    assert {len(arms) for arms in search.GRID.values()} == {len(search.DRAWS)}


def left(run: Run) -> int:
    """Weights of linear layers that are not zero."""
    entry = edition(run.dataset)
    model = build(run, entry.shape, entry.classes)
    return sum(int((layer.weight != 0).sum()) for _, layer in linear_layers(model))


def test_the_narrow_network_has_as_many_weights_as_are_left_of_a_local_layer() -> None:
    local = left(c9a_search.ARMS["nearest"])
    assert left(c9c_levels_search.ARMS["narrow"]) == pytest.approx(local, rel=0.03)
    convolution = build(c7g_convolution_search.ARMS["as many weights"], (3, 32, 32), 10)
    weights = sum(part.numel() for part in convolution.parameters())
    assert weights == pytest.approx(local, rel=0.03)
