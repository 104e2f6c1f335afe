"""c3 and c3b · Locality on the plane: their grids and claims, as they were before their runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import synthetic

from spatialnb import report
from spatialnb.execution import weight_records
from spatialnb.priors.kernels import Averaged, Exponential, Shuffled
from spatialnb.priors.schedules import progress
from spatialnb.records.store import Store
from spatialnb.studies import STUDIES, get
from spatialnb.studies.c2c_learning_rates import DECAYS
from spatialnb.studies.c3c_their_rates import GRID, RATES
from spatialnb.studies.c3d_at_their_best import CHOSEN

PLANE, MNIST = get("c3"), get("c3b")
BOTH = pytest.mark.parametrize("study", [PLANE, MNIST], ids=["c3", "c3b"])


def test_what_the_report_ran_is_not_run_again() -> None:
    reported = {
        run.id for study in STUDIES.values() if study.section for run in study.arms.values()
    }
    there = {
        arm for study in (PLANE, MNIST) for arm, run in study.arms.items() if run.id in reported
    }
    assert there == {"none", "line, k = 3", "line, k = 15", "line, k 3 → 50"}
    assert MNIST.arms["none"].id in reported


@BOTH
def test_every_claim_has_the_margin_of_its_data_set_and_twenty_seeds(study) -> None:
    assert {claim.margin for claim in study.claims} == {0.5 if study is PLANE else 0.2}
    assert study.seeds == tuple(range(20))


@BOTH
def test_every_arm_multiplies_and_says_where_its_neurons_are(study) -> None:
    for arm, run in study.arms.items():
        on_line = arm == "none" or arm.startswith("line")
        assert run.positions == (None if on_line else "plane")
        assert run.permuted_pixels == (1000 if arm.startswith("permuted") else None)
        assert run.action == "multiply"
        plain = replace(
            run, positions=None, permuted_pixels=None, schedule=study.arms["none"].schedule
        )
        assert plain == study.arms["none"]


@BOTH
@pytest.mark.parametrize("epoch", [0, 2, 4])
@pytest.mark.parametrize("name", ["k = 15", "k 3 → 50"])
def test_the_controls_have_the_plane_s_strengths_at_every_epoch(study, name, epoch) -> None:
    at = progress(epoch, study.epochs)
    kernel = study.arms[f"plane, {name}"].schedule.at(at)
    assert isinstance(kernel, Exponential)
    expected = {
        "line": kernel,
        "permuted": kernel,
        "shuffled": Shuffled(kernel=kernel, seed=1000),
        "one number": Averaged(kernel=kernel),
    }
    for control, found in expected.items():
        arm = study.arms.get(f"{control}, {name}")
        assert arm is None or arm.schedule.at(at) == found


# ── What has no places on the plane ─────────────────────────────────────────────────────────────


def test_weights_are_not_summarised_along_a_line_where_neurons_are_not_on_one(tmp_path) -> None:
    store = Store(tmp_path)
    run = replace(PLANE.arms["plane, k = 15"], dataset="quick-colours", epochs=1)
    store.add(synthetic.run_record(run))
    with pytest.raises(ValueError, match=r"positions='plane'; .* in 1-D index order only"):
        weight_records.record_weights(run, store)


# ── The picture of one neuron's weights ─────────────────────────────────────────────────────────

SHOWN = ["line, k = 15", "plane, k = 15", "permuted, k = 15"]


def test_a_neuron_on_the_line_sees_a_colour_and_one_on_the_plane_a_place() -> None:
    text = report.receptive_fields(synthetic.results(PLANE), SHOWN).text
    line, plane, permuted = (
        [float(part.split()[0]) for part in text.split(f"{arm}: ")[1].split(", ")[:3]]
        for arm in SHOWN
    )
    assert line[1] > 4 * max(line[0], line[2])
    assert plane[0] == plane[1] == plane[2]
    assert permuted[0] == permuted[1] == permuted[2]
    assert "hidden unit 119" in text
    assert "Mean kernel value of the whole layer" in text


def test_grey_images_are_shown_arm_by_arm() -> None:
    shown = report.receptive_fields(synthetic.results(MNIST), SHOWN)
    assert "mnist" in shown.text
    assert "red" not in shown.text
    assert all(arm in shown.html for arm in SHOWN)


def test_arms_that_are_not_there_are_not_shown() -> None:
    found = synthetic.results(PLANE)
    with pytest.raises(ValueError, match=r"unknown arm 'plain, k = 15'.*mean 'plane, k = 15'"):
        report.receptive_fields(found, ["plain, k = 15"])
    with pytest.raises(ValueError, match="expected arms, and images"):
        report.receptive_fields(found, [])


# ── c3c: learning rates on the plane ────────────────────────────────────────────────────────────


def test_the_best_on_the_plane_and_its_controls_stand_at_every_rate() -> None:
    study = get("c3c")
    assert study.claims == ()
    assert {run.validation_size for run in study.arms.values()} == {5000}
    found = {}
    for arm, run in study.arms.items():
        name, rate, decay = arm.rsplit(", ", 2)
        found.setdefault(name, set()).add((float(rate), decay))
        chosen = replace(
            PLANE.arms[name],
            learning_rate=float(rate),
            learning_rate_decay=None if decay == "constant" else decay,
            validation_size=5000,
        )
        assert chosen == run
    everywhere = {(rate, decay) for rate in RATES for decay in DECAYS}
    names = ("plane, k = 15", "permuted, k = 15", "shuffled, k = 15", "one number, k = 15")
    assert found == dict.fromkeys(names, everywhere)


# ── c3d: each on the plane at its best ──────────────────────────────────────────────────────────


def test_every_arm_stands_at_the_rate_that_the_records_of_the_grid_chose() -> None:
    results = get("c3c").recorded()
    assert results is not None
    chosen = report.chosen(results, GRID)
    assert list(chosen) == list(CHOSEN)
    for name, arm in chosen.items():
        best = get("c3c").arms[arm]
        assert (best.learning_rate, best.learning_rate_decay) == CHOSEN[name]
        assert get("c3d").arms[name] == replace(best, validation_size=None)


def test_the_best_rates_are_not_at_the_edge_of_the_grid() -> None:
    assert all(min(RATES) < rate < max(RATES) for rate, _ in CHOSEN.values())


def test_what_else_stands_in_c3d_is_not_run_again() -> None:
    arms = get("c3d").arms
    assert arms["plane at 0.003"] == PLANE.arms["plane, k = 15"]
    line = {"none": "none", "line, k 3 → 50": "k 3 → 50", "line, one number": "one number"}
    assert {arm: arms[arm] for arm in line} == {a: get("c2d").arms[b] for a, b in line.items()}
