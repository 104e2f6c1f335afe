"""Claims about the spread over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from spatialnb import report, studies
from spatialnb.studies import m2_spread as m2
from spatialnb.study.spread import SpreadClaim, judge_spread, less_spread, spread_ratio

RNG = np.random.default_rng(1)
WIDE, NARROW = RNG.normal(50, 0.67, 20), RNG.normal(55, 0.2, 20)


def claim(key: str, arm: str, against: str) -> SpreadClaim:
    return SpreadClaim(key=key, words="Varies less.", arm=arm, against=against, seen=0.3)


def findings(claims: list[SpreadClaim], **arms: np.ndarray) -> list[str]:
    return [f.verdict for f in judge_spread(claims, lambda a: dict(enumerate(arms[a])))]


def test_a_clearly_smaller_spread_holds_and_the_other_way_round_is_contradicted() -> None:
    assert findings([claim("a", "narrow", "wide")], narrow=NARROW, wide=WIDE) == ["holds"]
    assert findings([claim("a", "wide", "narrow")], narrow=NARROW, wide=WIDE) == ["contradicted"]


def test_spreads_that_are_about_equal_are_undecided_with_twenty_seeds() -> None:
    same = WIDE + RNG.normal(0, 0.3, 20)
    assert findings([claim("a", "same", "wide")], same=same, wide=WIDE)[0] != "holds"


def test_a_claim_after_one_that_does_not_hold_cannot_hold() -> None:
    claims = [claim("a", "wide", "narrow"), claim("b", "narrow", "wide")]
    assert findings(claims, narrow=NARROW, wide=WIDE) == ["contradicted", "undecided"]


def test_the_one_sided_tests_of_both_directions_add_up_to_one() -> None:
    assert less_spread(WIDE, NARROW) + less_spread(NARROW, WIDE) == pytest.approx(1.0)


def test_the_ratio_lies_in_its_interval_which_is_the_same_each_time() -> None:
    ratio, low, high = spread_ratio(NARROW, WIDE)
    assert low < ratio < high
    assert ratio == pytest.approx(NARROW.std(ddof=1) / WIDE.std(ddof=1))
    assert spread_ratio(NARROW, WIDE) == (ratio, low, high)


def test_two_seeds_are_too_few() -> None:
    with pytest.raises(ValueError, match="claim a: expected at least 10 seeds"):
        findings([claim("a", "x", "y")], x=WIDE[:2], y=NARROW[:2])


def test_fresh_seeds_decide_the_claims_about_spread() -> None:
    c2 = studies.get("c2")
    assert not set(m2.STUDY.seeds) & set(c2.seeds)
    assert {name: run.id for name, run in m2.STUDY.arms.items()} == {
        name: c2.arms[name].id for name in m2.ARMS
    }
    for one in m2.CLAIMS:
        assert {one.arm, one.against} <= m2.STUDY.arms.keys()
        assert one.arm in one.rule_text()


def test_what_suggested_the_claims_is_what_the_first_twenty_seeds_show() -> None:
    shown = studies.get("c2").recorded()
    assert shown is not None
    for one in m2.CLAIMS:
        a, b = (list(shown.samples(arm, "accuracy").values()) for arm in (one.arm, one.against))
        assert one.seen == pytest.approx(np.std(a) / np.std(b), abs=0.006)


def test_the_table_says_what_was_judged_and_on_which_seeds() -> None:
    results = m2.STUDY.recorded()
    assert results is not None
    found = report.spread_findings(results, m2.CLAIMS)
    shown = report.spread_verdicts(results, m2.CLAIMS)
    for one in found:
        assert one.n == 20
        assert one.claim.words in shown.html
        assert report.spread_numbers(results, m2.CLAIMS)[f"m2-{one.claim.key}"] == one.verdict
    assert "Written on" in shown.html


def test_fewer_seeds_than_planned_decide_nothing_and_five_show_nothing() -> None:
    some = m2.STUDY.run(seeds="20-31", train=False)
    assert {one.verdict for one in report.spread_findings(some, m2.CLAIMS)} == {"not judged"}
    few = m2.STUDY.run(seeds="20-24", train=False)
    assert report.spread_findings(few, m2.CLAIMS) == []
    assert "takes at least 10 seeds" in report.spread_verdicts(few, m2.CLAIMS).html
