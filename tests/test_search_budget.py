"""What a random search chose, and what fewer draws would have given."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialnb import report
from spatialnb.report.search_budget import expected_best
from spatialnb.studies import c7a_search as search
from spatialnb.study.results import Results
from tests import synthetic

VALUES = (40.0, 55.0, 50.0)
GRID = {name: list(runs) for name, runs in search.GRID.items()}


def searched(best: dict[str, int], failed: tuple[str, ...] = ()) -> Results:
    """The search with made records: 50 %, and 60 at the best draws."""
    top = {GRID[name][draw - 1] for name, draw in best.items()}
    study = search.STUDY
    records = {
        arm: {
            seed: synthetic.failed_record(dataclasses.replace(run, seed=seed))
            if arm in failed and seed
            else synthetic.validation_record(
                dataclasses.replace(run, seed=seed), 0.6 if arm in top else 0.5
            )
            for seed in study.seeds
        }
        for arm, run in study.arms.items()
    }
    return Results(
        study=study, dataset=study.dataset, epochs=study.epochs, seeds=study.seeds, records=records
    )


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_the_expected_best_is_the_mean_over_all_that_could_be_drawn(draws: int) -> None:
    every = [max(drawn) for drawn in itertools.product(VALUES, repeat=draws)]
    assert expected_best(VALUES, draws) == pytest.approx(np.mean(every))


@given(st.lists(st.floats(0, 100), min_size=2, max_size=30))
def test_more_draws_never_give_less(values: list[float]) -> None:
    found = [expected_best(values, draws) for draws in range(1, len(values) + 1)]
    assert found[0] == pytest.approx(np.mean(values))
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(found))
    assert found[-1] <= max(values) + 1e-9


@pytest.mark.parametrize("draws", [0, 4])
def test_more_draws_than_were_made_are_refused(draws: int) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to 3, as many as there are, got {draws}"):
        expected_best(VALUES, draws)


def test_the_best_draw_is_one_where_every_seed_ended_well() -> None:
    first = GRID["none"][6]
    found = report.best_draws(searched({"none": 7, "plane, k = 15": 40}, failed=(first,)), GRID)
    assert found["plane, k = 15"] == 40
    assert found["none"] == 1  # all others are level, and the seventh has a seed that failed
    with pytest.raises(ValueError, match="every draw of none failed"):
        report.best_draws(searched({}, failed=tuple(GRID["none"])), GRID)


def test_a_page_shows_what_was_chosen_and_what_a_search_of_less_would_have_found() -> None:
    results = searched({"plane, k = 15": 2}, failed=(GRID["none"][0],))
    shown = report.best_draws_table(results, GRID)
    assert "60.00 ± 0.00" in shown.text
    assert (
        "The best of 40 draws per arm; a draw that failed counts as chance accuracy." in shown.html
    )
    assert "c7a-draws.csv" in shown.html
    assert report.best_draws_numbers(results, GRID)["c7a-plane-k-15-best"] == "60.00"
    figure = report.budget_figure(results, GRID)
    assert "plane, k = 15: 50.25 of one draw, 56.37 of 40." in figure.text
    assert "none: 49.00 of one draw, 50.00 of 40." in figure.text
