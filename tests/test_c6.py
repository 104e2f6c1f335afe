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

FIRST_RUNS = {
    "c6/none": "4f23b8f60051ff31",
    "c6/k 3 → 50": "a30831fd50673ec7",
    "c6/one number": "57c8b65697148592",
    "c6/none, linear decay": "c8e2ff0585382a06",
    "c6/k 3 → 50, linear decay": "7ed4ecb78adb082e",
    "c6/one number, linear decay": "8bd5b2a838c6ceb6",
    "c6c/none": "684b3e46c80a96df",
    "c6c/exponential": "ed818cb32bad2291",
    "c6c/k 3 → 50": "9827560612d9c9de",
    "c6c/SGD, none": "c309910bfaa0c20f",
    "c6c/SGD, linear decay": "e824b8525811bf17",
    "c6c/SGD, k 3 → 50": "8c0553c54b368d79",
    "c6c/SGD, root mean square": "84319ec216181a0a",
    "c6c/SGD, one number": "d4303c6998dca4f5",
    "c6c/AdamW, none": "e797564091ee34bb",
    "c6c/AdamW, linear decay": "7d768df691654e83",
    "c6c/AdamW, k 3 → 50": "f4c379982dbb6320",
    "c6c/AdamW, one number": "e9e216c5398bb705",
    "c6c/cap, none": "eb4f3f1fa9b2cdf8",
    "c6c/cap, exponential": "387827a9944eeef6",
    "c6c/cap, shuffled": "f67ac80d5815c62e",
    "c6c/cap, one number": "cb9b0aa385d477cd",
    "c6d/wide, none": "667ea652bf8739d1",
    "c6d/wide, linear decay": "958cc57e0107bdee",
    "c6d/wide, k 3 → 50": "803ce2e60c03ca90",
    "c6d/wide, one number": "5c52bd73cc91664e",
    "c6d/convolutional, none": "5e0405e12f462d99",
    "c6d/convolutional, linear decay": "35630b2f3952ee57",
    "c6d/convolutional, k 3 → 50": "086f1c279b6b72b1",
    "c6d/convolutional, one number": "385991779658b6c8",
    "c6d/transformer, none": "4d78242a27c6f51e",
    "c6d/transformer, linear decay": "55cce3bb3598191b",
    "c6d/transformer, k 3 → 50": "f6d1a0d4fc6ef0fb",
    "c6d/transformer, one number": "930511dd5b5e4720",
}
"""Ids of the runs of seed 0: they name records, so they may never move by accident."""

RULES = {
    "c6": {
        "inequality-matters": "beats",
        "adds-to-decay": "beats",
        "inequality-adds-to-decay": "beats",
        "gain-lasts": "beats",
        "decay-helps": "beats",
        "one-number-equals": "equals",
        "decay-does-as-well": "at_least",
    },
    "c6c": {
        "sgd-inequality-matters": "beats",
        "adamw-inequality-matters": "beats",
        "sgd-more-than-decay": "beats",
        "adamw-more-than-decay": "beats",
        "sgd-beats-none": "beats",
        "adamw-beats-none": "beats",
        "sgd-square-equals": "equals",
        "adamw-one-number-equals": "equals",
        "caps-bind": "between",
        "cap-structure-matters": "beats",
        "cap-beats-none": "beats",
        "multiply-beats-cap": "beats",
    },
    "c6d": {
        f"{network}-{key}": "equals" if key == "one-number-equals" else "beats"
        for network in ("wide", "convolutional", "transformer")
        for key in ("inequality-matters", "more-than-decay", "beats-none", "one-number-equals")
    },
}

any_claiming = pytest.mark.parametrize("study", CLAIMING, ids=lambda study: study.id)


@pytest.mark.parametrize("name", FIRST_RUNS)
def test_the_runs_keep_their_ids(name: str) -> None:
    chapter, arm = name.split("/")
    assert get(chapter).arms[arm].id == FIRST_RUNS[name]


def test_every_run_is_pinned() -> None:
    runs = {f"{study.id}/{arm}" for study in (TIME, OPTIMIZERS, NETWORKS) for arm in study.arms}
    assert runs == FIRST_RUNS.keys()


@any_claiming
def test_the_claims_and_their_rules_stay_as_they_were_written(study: Study) -> None:
    assert {claim.key: claim.rule for claim in study.claims} == RULES[study.id]
    assert {claim.chapter for claim in study.claims} == {study.id}
    assert {claim.margin for claim in study.claims} == {0.5}
    assert study.reported == ()


def test_seeds_are_those_that_the_chapters_name() -> None:
    seeds = {study.id: len(study.seeds) for study in (TIME, RATES, OPTIMIZERS, NETWORKS)}
    assert seeds == {"c6": 5, "c6b": 2, "c6c": 10, "c6d": 5}


@any_claiming
def test_claims_are_judged_when_all_seeds_are_there(study: Study) -> None:
    findings = synthetic.results(study).findings()
    assert [found.claim.key for found in findings] == list(RULES[study.id])
    assert not [found for found in findings if found.verdict == "not judged"]


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
