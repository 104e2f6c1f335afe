"""c2 to c2e: their grids and their claims, as they were written before their runs."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import synthetic

from spatialnb import report
from spatialnb.priors.kernels import Averaged, Exponential, Shuffled
from spatialnb.priors.schedules import progress
from spatialnb.records.store import Store, published_folder
from spatialnb.studies import STUDIES, get
from spatialnb.studies.c2c_learning_rates import GRID, PRIORS, RATES
from spatialnb.studies.c2d_at_their_best import CHOSEN
from spatialnb.study.results import Results

STUDY = get("c2")


def test_what_the_report_ran_is_not_run_again() -> None:
    reported = {
        run.id for study in STUDIES.values() if study.section for run in study.arms.values()
    }
    new = [arm for arm, run in STUDY.arms.items() if run.id not in reported]
    assert new == list(STUDY.arms)[3:]


def test_the_chapter_is_none_of_the_reports_and_comes_after_them() -> None:
    assert STUDY.section == ""
    assert STUDY.reported == ()
    assert list(STUDIES).index("c2") > list(STUDIES).index("v11")


def test_every_claim_has_half_a_point_of_margin_and_twenty_seeds() -> None:
    assert {claim.margin for claim in STUDY.claims} == {0.5}
    assert STUDY.seeds == tuple(range(20))


@pytest.mark.parametrize("epoch", [0, 5, 11])
def test_the_controls_have_the_strengths_of_sharpening_at_every_epoch(epoch: int) -> None:
    at = progress(epoch, STUDY.epochs)
    kernel = STUDY.arms["k 3 → 50"].schedule.at(at)
    assert isinstance(kernel, Exponential)
    assert STUDY.arms["shuffled"].schedule.at(at) == Shuffled(kernel=kernel, seed=1000)
    fresh = STUDY.arms["reshuffled"].schedule.at(at)
    assert isinstance(fresh, Shuffled)
    assert fresh.kernel == kernel
    for arm in ("one number", "only its rate", "only its shrink"):
        assert STUDY.arms[arm].schedule.at(at) == Averaged(kernel=kernel)


# ── c2b: start, rate and shrink ─────────────────────────────────────────────────────────────────


def test_the_parts_stand_in_every_combination_once() -> None:
    study = get("c2b")
    folded = {run.folded for run in study.arms.values()}
    assert len(folded) == 8  # none and sharpening itself fold nothing
    assert {part for parts in folded for part in parts or ()} == {"start", "update", "shrink"}
    assert {run.schedule for run in study.arms.values() if run.folded} == {
        study.arms["k 3 → 50"].schedule
    }


# ── c2c: learning rates ─────────────────────────────────────────────────────────────────────────


def test_the_grid_of_rates_never_sees_a_test_image_and_claims_nothing() -> None:
    study = get("c2c")
    assert study.claims == ()
    assert {run.validation_size for run in study.arms.values()} == {5000}
    assert {run.learning_rate for run in study.arms.values()} == set(RATES)
    assert (min(RATES), max(RATES)) == (0.000125, 0.016)
    assert {b / a for a, b in itertools.pairwise(RATES)} == {2.0}


def test_every_prior_stands_at_every_rate_constant_and_falling() -> None:
    settings = {
        (run.schedule, run.learning_rate, run.learning_rate_decay)
        for run in get("c2c").arms.values()
    }
    priors = {get("c2").arms[arm].schedule for arm in PRIORS}
    decays = {None, "linear"}
    assert settings == set(itertools.product(priors, RATES, decays))
    assert [prior for lines in GRID.values() for prior in lines] == 2 * list(PRIORS)


def test_the_best_arm_is_the_one_with_the_highest_mean_on_held_out_images() -> None:
    study = get("c2c")
    wanted = {"none": "none, 0.004, linear", "k 3 → 50": "k 3 → 50, 0.002, constant"}
    records = {
        arm: {
            seed: synthetic.validation_record(
                dataclasses.replace(run, seed=seed),
                0.6 if arm in wanted.values() and seed else 0.5,
            )
            for seed in study.seeds
        }
        for arm, run in study.arms.items()
    }
    results = Results(
        study=study, dataset=study.dataset, epochs=study.epochs, seeds=study.seeds, records=records
    )
    found = report.chosen(results, GRID)
    assert list(found) == list(PRIORS)
    assert wanted.items() <= found.items()
    assert found["one number"] == "one number, 0.000125, constant"  # all level: the first
    table = report.rate_table(results, GRID)
    assert table.text.count("55.00 *") == 2
    assert "0.004, linear" not in report.chosen_table(results, GRID).text
    figure = report.rate_figure(results, GRID)
    assert "none, linear: 50.00 at 0.000125, highest 55.00 at 0.004, 50.00 at 0.016" in figure.text


# ── c2d: each at its best ───────────────────────────────────────────────────────────────────────


def test_every_arm_stands_at_the_rate_that_the_records_of_the_grid_chose() -> None:
    results = get("c2c").recorded()
    assert results is not None
    arms = get("c2c").arms
    best = {prior: arms[arm] for prior, arm in report.chosen(results, GRID).items()}
    assert {p: (run.learning_rate, run.learning_rate_decay) for p, run in best.items()} == CHOSEN
    for prior, run in best.items():
        assert get("c2d").arms[prior] == dataclasses.replace(run, validation_size=None)


def test_the_best_rates_are_not_at_the_edge_of_the_grid() -> None:
    assert all(min(RATES) < rate < max(RATES) for rate, _ in CHOSEN.values())


def test_the_arms_at_the_reference_protocol_are_those_of_c2() -> None:
    for prior in ("none", "k 3 → 50"):
        assert get("c2d").arms[f"{prior} at 0.003"] == get("c2").arms[prior]


SAME_AS = {
    "none": ("c2", "none"),
    "none at its best": ("c2d", "none"),
    "k 3 → 50": ("c2", "k 3 → 50"),
    "one number": ("c2", "one number"),
}
"""Arms of c2e that other chapters have, without a count of dead neurons."""


def test_every_arm_of_c2e_counts_its_dead_neurons_and_is_known_otherwise() -> None:
    for arm, run in get("c2e").arms.items():
        chapter, other = SAME_AS[arm.removesuffix(", leaky")]
        activation = "leaky_relu" if arm.endswith(", leaky") else None
        known = dataclasses.replace(get(chapter).arms[other], activation=activation)
        assert run == dataclasses.replace(known, dead_neurons=True)


def test_counting_dead_neurons_changes_no_run() -> None:
    """Of the published records: accuracy and loss are those of the chapters that have the run."""
    store = Store(published_folder())
    counts = get("c2e").configs()
    pairs = [
        (store.find(plain.id), store.find(counted.id))
        for arm, (chapter, other) in SAME_AS.items()
        for plain, counted in zip(get(chapter).configs()[other], counts[arm], strict=True)
    ]
    assert len(pairs) == 80
    for plain, counted in pairs:
        assert plain is not None
        assert counted is not None
        epochs = counted.outcome["epochs"]
        assert plain.outcome["epochs"].items() <= epochs.items(), counted.id
