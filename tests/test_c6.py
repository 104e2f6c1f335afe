"""c6 to c6d · More time, other networks: grids and claims, as written before their runs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import synthetic
import torch

from spatialnb import report
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Averaged, Exponential, Kernel, Scaled
from spatialnb.priors.schedules import Sharpen
from spatialnb.report.summary import summarise
from spatialnb.studies import STUDIES, get
from spatialnb.studies.c6b_their_rates import EACH, GRID, TAKEN
from spatialnb.studies.c6b_their_rates import RATES as C6B_RATES
from spatialnb.study.study import Study

TIME, RATES, OPTIMIZERS, NETWORKS = (get(name) for name in ("c6", "c6b", "c6c", "c6d"))
CLAIMING = (TIME, OPTIMIZERS, NETWORKS)
SHARPENING = Sharpen(k_start=3, k_end=50)

any_claiming = pytest.mark.parametrize("study", CLAIMING, ids=lambda study: study.id)


@any_claiming
def test_every_claim_has_half_a_point_of_margin(study: Study) -> None:
    assert {claim.margin for claim in study.claims} == {0.5}
    assert study.reported == ()


def test_seeds_are_those_that_the_chapters_name() -> None:
    seeds = {study.id: len(study.seeds) for study in (TIME, RATES, OPTIMIZERS, NETWORKS)}
    assert seeds == {"c6": 5, "c6b": 2, "c6c": 10, "c6d": 5}


@any_claiming
def test_arms_that_a_claim_compares_differ_in_the_prior_the_decay_or_the_rate(
    study: Study,
) -> None:
    same = {"schedule": SHARPENING, "learning_rate": 1.0, "learning_rate_decay": None}
    for claim in study.claims:
        for arms, against in claim.comparisons:
            runs = [replace(study.arms[arm], action="multiply", **same) for arm in arms + against]
            assert len(set(runs)) == 1, claim.key


# ── More time ───────────────────────────────────────────────────────────────────────────────────


def test_more_time_is_c2_with_more_epochs() -> None:
    c2 = get("c2")
    for arm, run in TIME.arms.items():
        name, _, falls = arm.partition(", ")
        assert falls == ("linear decay" if run.learning_rate_decay else "")
        assert replace(run, epochs=12, learning_rate_decay=None) == c2.arms[name]
        assert run.epochs == 100


# ── Their rates ─────────────────────────────────────────────────────────────────────────────────


def test_the_grid_holds_images_out_and_every_line_has_every_rate() -> None:
    assert {run.validation_size for run in RATES.arms.values()} == {5000}
    for setting, lines in GRID.items():
        assert list(lines) == ["none", "linear decay", "k 3 → 50"]
        rates = [[RATES.arms[arm].learning_rate for arm in arms] for arms in lines.values()]
        assert rates[0] == rates[1] == rates[2] == sorted(rates[0])
        for arm in (arm for arms in lines.values() for arm in arms):
            assert arm.startswith(setting)


def test_the_rates_that_are_taken_are_those_that_the_grid_gives() -> None:
    assert set(TAKEN) == {line for lines in EACH.values() for line in lines}
    results = RATES.recorded()
    assert results is not None
    chosen = report.chosen(results, EACH)
    assert {line: RATES.arms[arm].learning_rate for line, arm in chosen.items()} == TAKEN


def test_a_rate_is_taken_for_each_line_of_each_setting() -> None:
    results = synthetic.results(RATES)
    chosen = report.chosen(results, EACH)
    assert set(chosen) == set(TAKEN)
    # Made records rise from arm to arm, so the last one of every line is the best.
    assert chosen["SGD, k 3 → 50"] == "SGD, k 3 → 50, 0.3"
    assert chosen["transformer, none"] == "transformer, none, 0.03"


def test_the_figure_of_the_rates_has_a_scale_for_each_panel_and_survives_failed_runs() -> None:
    lost = [("SGD, none, 0.001", seed) for seed in (0, 1)]
    lost += [(arm, seed) for arm in GRID["AdamW"]["none"] for seed in (0, 1)]
    results = synthetic.results(RATES, failed=lost)
    rows = {row.arm: row.ours.n for row in summarise(results, "validation_accuracy")}
    assert rows["SGD, none, 0.001"] == 0
    shown = report.rate_figure(results, GRID)._repr_html_()
    assert "none, AdamW: every run failed." in shown
    assert "none, SGD: – at 0.001, highest" in shown
    assert "nan" not in shown.split("<svg")[0]
    ticks = set(re.findall(r">([\d.]+)</text>", shown))
    assert {"0.1", "0.0001", "0.03"} <= ticks  # of SGD, of AdamW, of the transformer


def test_the_table_of_the_rates_has_a_part_for_each_setting_with_its_own_rates() -> None:
    table = report.rate_table(synthetic.results(RATES), GRID)
    parts = table.text.split("\n\n")[:-1]
    rates = [[line.split()[0] for line in part.splitlines()[2:]] for part in parts]
    assert rates == [[f"{rate:g}" for rate in found] for found in C6B_RATES.values()]
    assert [part.count(" *") for part in parts] == [3, 3, 3, 3]
    assert "nan" not in table.text


def test_the_table_of_the_rates_names_runs_that_failed() -> None:
    table = report.rate_table(synthetic.results(RATES, failed=[("SGD, none, 0.3", 0)]), GRID)
    assert table.text.count("1 failed") == 1
    assert "SGD, none, 0.3: failed at seed 0 (numbers not finite)" in table.text
    assert "SGD, none, 0.3: failed at seed 0 (numbers not finite)" in table._repr_html_()


# ── Other optimisers, caps, other networks ──────────────────────────────────────────────────────


@pytest.mark.parametrize("setting", ["SGD", "AdamW", "convolutional", "transformer"])
def test_arms_at_their_rates_have_those_that_were_taken(setting: str) -> None:
    study = NETWORKS if setting in ("convolutional", "transformer") else OPTIMIZERS
    ours = {arm: run for arm, run in study.arms.items() if arm.startswith(setting)}
    for arm, run in ours.items():
        line = arm if arm in TAKEN else f"{setting}, k 3 → 50"
        assert run.learning_rate == TAKEN[line]
        assert (run.learning_rate_decay == "linear") == arm.endswith("linear decay")
        assert run.validation_size is None
    assert ours[f"{setting}, k 3 → 50"].schedule == SHARPENING
    number = ours[f"{setting}, one number"].schedule
    assert number.at(0.5) == Averaged(kernel=SHARPENING.at(0.5))


def test_under_sgd_one_number_has_the_mean_of_the_squares_too() -> None:
    between = layer_distance(20, 30)
    for at in (0.0, 0.5, 1.0):
        ours = OPTIMIZERS.arms["SGD, root mean square"].schedule.at(at).strength(between)
        theirs = OPTIMIZERS.arms["SGD, k 3 → 50"].schedule.at(at).strength(between)
        torch.testing.assert_close(ours.square().mean(), theirs.square().mean())


def test_caps_are_those_of_v8_and_their_mean_in_units_of_the_first_weights() -> None:
    kernels: dict[str, Kernel] = {
        name.removeprefix("cap "): run.schedule.at(1.0)
        for name, run in STUDIES["v08"].arms.items()
        if name.startswith("cap ")
    }
    kernels["one number"] = Averaged(kernel=Exponential())
    for name, kernel in kernels.items():
        run = OPTIMIZERS.arms[f"cap, {name}"]
        assert run.action == "cap"
        assert run.schedule.at(1.0) == Scaled(kernel=kernel)


def test_the_prior_of_another_network_is_on_the_parts_that_the_chapter_names() -> None:
    assert {run.network for run in NETWORKS.arms.values()} == {
        None,
        "convolutional",
        "transformer",
    }
    for arm, run in NETWORKS.arms.items():
        assert run.epochs == 12
        assert run.optimizer == "adam"
        if arm.startswith("wide"):
            assert run.hidden == (1024, 512)
            assert run.learning_rate == 0.003
