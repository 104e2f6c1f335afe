"""c2 · Which part of it helps: its grid and its claims, as they were written before its runs."""

from __future__ import annotations

import pytest
import synthetic

from spatialnb.kernels import Averaged, Exponential, Shuffled
from spatialnb.schedules import progress
from spatialnb.studies import STUDIES, get

STUDY = get("c2")

FIRST_RUNS = {
    "none": "684b3e46c80a96df",
    "exponential": "ed818cb32bad2291",
    "k 3 → 50": "9827560612d9c9de",
    "shuffled": "eea8f0b333ca36ff",
    "reshuffled": "b713ee40ebc28bfe",
    "one number": "7d39ad7de2346fd7",
    "only its rate": "ffdf4ab13c926b7d",
    "only its shrink": "c984879fa5dae2e6",
    "linear decay": "29249b875682327c",
    "root mean square": "2272b64cb3e3dc70",
    "cosine decay": "d621328b745fb637",
}
"""Ids of the runs of seed 0: they name records, so they may never move by accident."""

RULES = {
    "places-matter": "beats",
    "inequality-matters": "beats",
    "keeping-matters": "beats",
    "more-than-its-rate": "beats",
    "more-than-linear-decay": "beats",
    "one-number-equals": "equals",
    "linear-decay-helps": "beats",
    "linear-decay-half": "beats",
    "rate-equals-number": "equals",
    "shrink-helps": "beats",
    "root-mean-square-equals": "equals",
    "cosine-equals-linear": "equals",
}


def test_the_runs_keep_their_ids() -> None:
    assert {arm: run.id for arm, run in STUDY.arms.items()} == FIRST_RUNS


def test_what_the_report_ran_is_not_run_again() -> None:
    reported = {
        run.id for study in STUDIES.values() if study.section for run in study.arms.values()
    }
    new = [arm for arm, run in STUDY.arms.items() if run.id not in reported]
    assert new == list(FIRST_RUNS)[3:]


def test_the_chapter_is_none_of_the_reports_and_comes_after_them() -> None:
    assert STUDY.section == ""
    assert STUDY.reported == ()
    assert list(STUDIES).index("c2") > list(STUDIES).index("v11")


def test_the_claims_and_their_rules_stay_as_they_were_written() -> None:
    assert {claim.key: claim.rule for claim in STUDY.claims} == RULES
    assert {claim.chapter for claim in STUDY.claims} == {"c2"}
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


def test_claims_are_judged_when_all_seeds_are_there() -> None:
    findings = synthetic.results(STUDY).findings()
    assert [found.claim.key for found in findings] == list(RULES)
    assert not [found for found in findings if found.verdict == "not judged"]
