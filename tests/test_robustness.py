"""How robust verdicts are, what n seeds can tell, and where claims come from."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialnb import report, studies
from spatialnb.studies import m2_spread
from spatialnb.study import inference
from spatialnb.study.claims import Claim
from spatialnb.study.judging import Case, case, judge_cases, verdict_at_margins
from spatialnb.study.log_protocol import INFERRED, LOG_PROTOCOLS
from spatialnb.study.registration import registered, registration
from spatialnb.study.robustness import (
    VARIATIONS,
    Robustness,
    robustness,
    smallest_difference,
    smallest_margin,
)

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0.0, 0.3, 20)
NOISE -= NOISE.mean()


def claim(rule: str = "beats", **changes: Any) -> Claim:
    base = {"chapter": "v05", "key": "a-b", "words": "A beats B", "arm": "a", "against": "b"}
    return Claim(**{**base, "rule": rule, **changes})


def one(difference: float, spread: float = 1.0, **changes: Any) -> Case:
    values = dict(enumerate(difference + spread * NOISE))
    zero = dict.fromkeys(values, 0.0)
    return case(claim(**changes), lambda arm, metric: values if arm == "a" else zero)


def robust(made: Case) -> Robustness:
    (found,) = robustness([[made]])
    return found


def test_a_large_difference_is_robust_to_everything() -> None:
    found = robust(one(3.0))
    assert found.robust
    assert (found.low, found.high, found.flip_margin) == (0.0, math.inf, None)
    assert set(found.verdicts.values()) == {"holds"}
    assert found.halves_agree


def test_an_equality_flips_at_the_margin_at_which_its_test_fails() -> None:
    found = robust(one(0.2, rule="equals"))
    assert found.flip_margin is not None
    assert found.high == math.inf
    below, above = (
        inference.equivalence(list(0.2 + NOISE), found.flip_margin * factor)
        for factor in (0.999, 1.001)
    )
    assert below > 0.05 > above


def test_the_verdict_is_the_same_within_the_margins_named_and_another_outside() -> None:
    made = one(0.6, rule="equals")
    found = robust(made)
    assert found.low is not None
    assert found.high is not None
    inside = [found.low * 1.001 + 1e-6, found.high * 0.999]
    outside = [found.low * 0.999, found.high * 1.001]
    assert set(verdict_at_margins(made, [made], inside)) == {found.finding.verdict}
    assert found.finding.verdict not in verdict_at_margins(made, [made], outside)


def test_a_claim_between_bounds_has_no_margin() -> None:
    found = robust(one(1.5, rule="between", low=1.0, high=2.0))
    assert (found.low, found.high, found.flip_margin) == (None, None, None)


def test_a_difference_that_one_seed_carries_is_not_robust() -> None:
    values = {seed: 0.05 * (-1) ** seed + 0.03 for seed in range(10)}
    zero = dict.fromkeys(values, 0.0)
    made = case(claim(margin=0.001), lambda arm, metric: values if arm == "a" else zero)
    published = judge_cases([[made]])[0][0].verdict
    found = robust(made)
    assert found.flips_without_one == sum(verdict != published for verdict in found.without)
    assert len(found.without) == 10


def test_more_seeds_find_smaller_differences_and_smaller_margins() -> None:
    for size in (smallest_difference, smallest_margin):
        assert size(5, 1.0) > size(10, 1.0) > size(20, 1.0)
        assert size(20, 2.0) == pytest.approx(2.0 * size(20, 1.0))
    assert smallest_difference(20, 1.0, alpha=0.005) > smallest_difference(20, 1.0)


def test_the_power_of_the_smallest_margin_is_what_it_says() -> None:
    margin = smallest_margin(20, 1.0)
    draws = np.random.default_rng(3).normal(size=(2000, 20))
    half = 1.729 * draws.std(axis=1, ddof=1) / math.sqrt(20)  # t of 19 degrees at 0.95
    passed = (np.abs(draws.mean(axis=1)) + half < margin).mean()
    assert passed == pytest.approx(0.8, abs=0.03)


def test_a_prediction_interval_holds_means_of_few_samples_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(1000):
        low, high = inference.prediction_interval(list(rng.normal(size=20)), 3)
        hits += low <= rng.normal(size=3).mean() <= high
    assert hits / 1000 == pytest.approx(0.95, abs=0.025)
    with pytest.raises(ValueError, match="expected at least 1"):
        inference.prediction_interval([1.0, 2.0], 0)


@pytest.fixture(scope="module")
def published() -> list[Robustness]:
    return robustness(studies.cases(studies.part("I") + studies.part("II")))


def test_the_numbers_of_the_page_are_those_of_its_table(published: list[Robustness]) -> None:
    said = report.robustness_numbers(published)
    assert int(said["robust-claims"]) == len(published) == 272
    for name in VARIATIONS:
        key = name.lower().replace(" ", "-").replace(".", "-")
        changed = sum(name in found.changed_by for found in published)
        assert int(said[f"robust-by-{key}"]) == changed
    shown = report.robustness_table(published, studies.PAGES)
    assert shown.html.count("<tr>") == 273
    rows = report.robustness_rows(published)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_what_n_seeds_can_tell_is_shown_in_points(published: list[Robustness]) -> None:
    findings = [found.finding for found in published]
    said = report.power_numbers(findings)
    assert float(said["power-margin-20"]) < 0.5 < float(said["power-margin-5"])
    assert said["power-difference-20"] in report.power_table(findings).text


def test_a_reported_number_stands_above_the_interval_of_means_of_as_few_seeds() -> None:
    shown = report.table(studies.get("v11").run(train=False, progress=False))
    assert "not in 53.63 to 54.53" in shown.text
    assert "means of 3 seeds" in shown.text
    said = report.expected_numbers(studies.recorded())
    assert 0 < int(said["expected-inside"]) < int(said["expected-cells"])


# ── Protocol and registration ───────────────────────────────────────────────────────────────────


def test_every_chapter_on_the_log_says_what_is_stated_and_what_is_inferred() -> None:
    assert list(LOG_PROTOCOLS) == [study.id for study in studies.part("I")]
    for protocol in LOG_PROTOCOLS.values():
        assert set(INFERRED) <= set(protocol.inferred)
        assert protocol.seeds in (2, 3)
        assert ("seeds" in protocol.inferred) != protocol.seeds_stated


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


has_history = pytest.mark.skipif(
    git("cat-file", "-e", "d57285c").returncode != 0, reason="no history here"
)


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (ROOT / "book" / "registration.json").read_text(encoding="utf-8")
    )
    return found


def test_every_claim_is_registered_and_those_of_the_first_edition_before_their_records() -> None:
    chapters = [study for part in ("I", "II") for study in studies.part(part)]
    drafts = {study.id for study in chapters if study.dataset == study.quick.dataset}
    claims = [one for study in chapters if study.id not in drafts for one in study.claims]
    spread = [(m2_spread.STUDY.id, one.key) for one in m2_spread.CLAIMS]
    assert [(row["chapter"], row["key"]) for row in stored()["claims"]] == [
        *((one.chapter, one.key) for one in claims),
        *spread,
    ]
    for chapter, key in spread:
        registered_before = registered(chapter, key)
        assert registered_before is not None
        assert registered_before.written_before
    for one in claims:
        known = registration(one)
        assert known is not None
        # Two of v11 were written when the second edition of the rules split a claim.
        assert known.written_before == (one.since == 1 or one.chapter.startswith("c"))
        assert known.sentence.startswith("Written on ")
    looked = {row["chapter"] for row in stored()["claims"] if row["looked_at_before"]}
    early = {"c2", "c2e", "c3", "c5"}
    assert looked == early | {"c4b", "c7", "c7b", "c7c", "c7d", "c7f", "c7h", "c8", "c9", "c9f"}


def test_amendments_have_reasons() -> None:
    rows = {f"{row['chapter']} {row['key']}": row for row in stored()["claims"]}
    amended = {name: row["amendments"] for name, row in rows.items() if row["amendments"]}
    assert list(amended) == ["v10 sparsity-15", "v10 sparsity-10", "v11 sparsity-100"]
    for changes in amended.values():
        assert [(c["before"]["rule"], c["after"]["rule"]) for c in changes] == [
            ("equals", "between")
        ]
        assert all(change["reason"] for change in changes)
    assert [one["chapter"] for one in stored()["amendments"]] == ["c2c", "c3c", "all"]


@has_history
def test_the_history_says_of_first_records_what_the_registration_does() -> None:
    from tools import register_claims as tool

    rows = {(row["chapter"], row["key"]): row for row in stored()["claims"]}
    for name, commits in tool.first_records(set(rows)).items():
        row = rows[name]
        assert row["seeds"] == len(commits)
        assert row["first_record"]["commit"] == commits[0]


@has_history
def test_the_history_says_of_claims_what_the_registration_does() -> None:
    pairs = {
        (row["written"]["commit"], row["first_record"]["commit"], row["written_before"])
        for row in stored()["claims"]
    }
    for written, first, before in pairs:
        assert git("cat-file", "-e", written).returncode == 0, (
            f"{written} is not in the history; run python -m tools.register_claims"
        )
        assert (git("merge-base", "--is-ancestor", written, first).returncode == 0) == before
