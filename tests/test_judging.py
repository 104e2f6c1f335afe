"""Judging again: the second edition of the rules, and other settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from spatialnb import report, studies
from spatialnb.commands.cli import main
from spatialnb.study import inference
from spatialnb.study.claims import Claim, Finding
from spatialnb.study.judging import FIRST_EDITION, Settings, case, judge, judge_cases
from spatialnb.study.rules import rule_text

WIGGLE = (-0.3, 0.1, 0.2, -0.1, 0.3, -0.2)  # mean 0, sd 0.237: a 95 % interval of about ± 0.25
STORED = Path(__file__).parent / "ledger_first_edition"


def claim(rule: str = "beats", **changes: Any) -> Claim:
    base = {"chapter": "v05", "key": "a-b", "words": "A beats B", "arm": "a", "against": "b"}
    return Claim(**{**base, "rule": rule, **changes})


def around(difference: float, spread: float = 1.0) -> dict[int, float]:
    return {seed: difference + spread * w for seed, w in enumerate(WIGGLE)}


def samples(**arms: dict[int, float]) -> Callable[[str, str], Mapping[Any, float]]:
    known = {"b": dict.fromkeys(range(len(WIGGLE)), 0.0), **arms}
    return lambda arm, metric: known[arm]


def found(one: Claim, settings: Settings | None = None, **arms: dict[int, float]) -> Finding:
    (finding,) = judge([one], samples(**arms), settings or Settings())
    return finding


# ── The second edition ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("difference", "spread", "first", "second"),
    [
        (0.0, 1.0, "holds", "holds"),
        (0.6, 1.0, "contradicted", "undecided"),  # 0.35 to 0.85: past the margin, and not wholly
        (0.9, 1.0, "contradicted", "contradicted"),
        (-0.9, 1.0, "contradicted", "contradicted"),
    ],
)
def test_equality_is_contradicted_only_where_the_whole_interval_lies_beyond_the_margin(
    difference: float, spread: float, first: str, second: str
) -> None:
    finding = found(claim("equals"), a=around(difference, spread))
    assert (finding.first, finding.verdict) == (first, second)
    assert finding.amended == (first != second)


def test_at_least_is_contradicted_only_where_the_whole_interval_lies_below_the_margin() -> None:
    assert found(claim("at_least"), a=around(-0.6)).verdict == "undecided"
    assert found(claim("at_least"), a=around(-0.6)).first == "contradicted"
    assert found(claim("at_least"), a=around(-0.9)).verdict == "contradicted"


@pytest.mark.parametrize(
    ("better", "difference", "expected"),
    [
        ("higher", 0.9, "exceeded"),
        ("higher", 0.4, "exceeded"),
        ("higher", -0.9, "contradicted"),
        ("lower", -0.9, "exceeded"),
        ("lower", 0.9, "contradicted"),
        ("higher", 0.1, "holds"),
    ],
)
def test_a_difference_on_the_better_side_exceeds_the_claim(
    better: str, difference: float, expected: str
) -> None:
    finding = found(claim("equals", better=better), a=around(difference))
    assert finding.verdict == expected
    assert ("a does better than claimed" in finding.reason) == (expected == "exceeded")


def test_a_value_past_the_better_bound_exceeds_the_claim() -> None:
    bounds = claim("between", low=1.0, high=2.0, better="higher")
    assert [found(bounds, a=around(x)).verdict for x in (1.5, 3.0, 0.0)] == [
        "holds",
        "exceeded",
        "contradicted",
    ]
    lower = claim("between", low=1.0, high=2.0, better="lower")
    assert found(lower, a=around(0.0)).verdict == "exceeded"


def test_the_best_ties_with_an_equivalent_runner_up() -> None:
    best = claim(against=("b", "c"), each=True, best_of=True)
    tie = found(best, a=around(0.1), b=around(-3.0, 0.5), c=around(0.0, 0.5))
    assert (tie.verdict, tie.first) == ("tied", "contradicted")
    assert "a against c" in tie.reason
    clear = found(best, a=around(2.0), b=around(-3.0, 0.5), c=around(0.0, 0.5))
    assert clear.verdict == "holds"


def test_an_arm_that_another_beats_is_not_tied_with_it() -> None:
    best = claim(against=("b", "c"), each=True, best_of=True)
    finding = found(best, a=around(0.0, 0.2), b=around(-3.0), c=around(0.3, 0.2))
    assert finding.verdict == "contradicted"


def test_a_difference_inside_the_margin_holds_and_is_marked() -> None:
    small = found(claim(), a=around(0.3, 0.1))
    assert (small.verdict, small.small) == ("holds", True)
    assert not found(claim(), a=around(2.0)).small
    assert not found(claim(), FIRST_EDITION, a=around(0.3, 0.1)).small


def test_equivalence_does_not_contradict_a_difference_that_only_the_correction_hides() -> None:
    # Above 0 by itself, not after the correction for the other comparison, and within the margin.
    two = [claim(key="one"), claim(key="two", arm="c")]
    arms = samples(a=around(0.26), c=around(0.02))
    first, second = judge(two, arms, FIRST_EDITION)[0], judge(two, arms)[0]
    assert (first.verdict, second.verdict) == ("contradicted", "undecided")
    assert "above 0 before the correction" in second.reason


def test_a_claim_of_the_second_edition_is_not_in_the_first() -> None:
    new = claim(since=2)
    assert judge([new], samples(a=around(2.0)), FIRST_EDITION) == []
    finding = found(new, a=around(2.0))
    assert (finding.first, finding.amended) == (None, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"better": "more", "rule": "equals"}, "expected higher or lower"),
        ({"better": "higher"}, "only for the rules 'equals' and 'between'"),
        ({"best_of": True}, "needs the rule 'beats' and each"),
        ({"since": 3}, "expected 1 or 2"),
    ],
)
def test_parts_of_the_second_edition_that_make_no_rule_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        claim(**changes)


def test_the_rule_names_what_the_second_edition_adds() -> None:
    assert "exceeded if the 95 % interval lies above 0" in rule_text(
        claim("equals", better="higher")
    )
    best = claim(against=("b", "c"), each=True, best_of=True)
    assert "tied if" in rule_text(best)
    assert "tied if" not in rule_text(best, edition=1)
    assert "99 % interval" in rule_text(claim(), alpha=0.01)
    assert "over the ledger" in rule_text(claim(), correction="ledger")


# ── Settings ────────────────────────────────────────────────────────────────────────────────────


def test_another_margin_is_for_claims_in_points_alone() -> None:
    points, share = claim("equals"), claim("equals", unit="")
    wide = Settings(margin=2.0)
    assert found(points, wide, a=around(1.0)).verdict == "holds"
    assert found(share, wide, a=around(1.0)).verdict == "contradicted"


def test_a_smaller_level_widens_the_interval_that_decides_and_not_the_estimates_own() -> None:
    strict = found(claim(), Settings(alpha=0.001), a=around(0.3))
    usual = found(claim(), a=around(0.3))
    assert (usual.verdict, strict.verdict) == ("holds", "undecided")
    assert strict.interval.high > usual.interval.high
    assert strict.estimate == usual.estimate


def test_seeds_are_a_subset_and_pairs_need_both_of_theirs() -> None:
    assert found(claim(), Settings(seeds=(0, 1, 2)), a=around(2.0)).interval.n == 3
    pairs = {(0, 1): 0.1, (2, 3): 0.2, (4, 5): 0.3}
    (finding,) = judge(
        [claim(against=None)], lambda arm, metric: pairs, Settings(seeds=(0, 1, 2, 3, 4))
    )
    assert finding.interval.n == 2


def test_corrections_grow_from_none_over_chapter_to_ledger() -> None:
    arms = samples(a=around(0.4), c=around(0.4), d=around(0.0))
    chapters = [
        [case(claim(key=key, arm=arm), arms) for key, arm in (("one", "a"), ("two", "c"))],
        [case(claim(key="three", arm="d"), arms)],
    ]
    p = {
        name: judge_cases(chapters, Settings(correction=name))[0][0].p_corrected  # type: ignore[arg-type]
        for name in ("none", "fdr", "chapter", "ledger")
    }
    assert p["none"] < p["chapter"] < p["ledger"]  # type: ignore[operator]
    assert p["none"] < p["fdr"] <= p["ledger"]  # type: ignore[operator]


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_intervals_exclude_zero_exactly_where_false_discovery_control_rejects(
    alpha: float,
) -> None:
    values = [around(x) for x in (0.0, 0.15, 0.25, 0.3, 0.4, 2.0)]
    p = [inference.t_test(list(one.values())) for one in values]
    levels = inference.fdr_levels(p, alpha)
    for one, adjusted, level in zip(values, inference.fdr(p), levels, strict=True):
        interval = inference.mean_interval(list(one.values()), level)
        assert (adjusted <= alpha) == (0.0 not in interval)


def test_no_comparisons_have_no_false_discoveries() -> None:
    assert inference.fdr([]) == inference.fdr_levels([]) == []


def test_the_share_of_seeds_that_an_arm_wins_counts_draws_half() -> None:
    assert inference.share_above([1.0, 2.0, 0.0, -1.0]) == 0.625
    assert found(claim(), a=around(0.0)).wins == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"margin": 0.0}, "margin: expected a number of points > 0, got 0"),
        ({"margin": float("nan")}, "margin: expected"),
        ({"alpha": 1.0}, "alpha: expected a level between 0 and 1, got 1"),
        ({"alpha": 0.0}, "alpha: expected a level between 0 and 1"),
        ({"correction": "bonferroni"}, "expected one of none, chapter, ledger, fdr"),
        ({"edition": 3}, "edition: expected 1 or 2"),
        ({"population": "people"}, "expected one of seeds, images, both"),
        ({"seeds": (3,)}, "a test needs at least two"),
    ],
)
def test_settings_outside_their_range_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**given)


# ── The published ledger ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "options"), [("ledger", []), ("controls", ["--controls"])])
def test_the_verdicts_of_the_first_edition_are_byte_for_byte_what_they_were(
    name: str, options: list[str], tmp_path: Path
) -> None:
    asked = ["ledger", *options, "--edition", "1", "--json", "--store", str(tmp_path)]
    result = CliRunner().invoke(main, asked)
    assert result.output == (STORED / f"{name}.json").read_text(encoding="utf-8")


def test_verdicts_that_the_second_edition_changes_are_these() -> None:
    changed = {
        f"{one.claim.chapter} {one.claim.key}": (one.first, one.verdict)
        for one in (*studies.ledger(), *studies.controls())
        if one.amended
    }
    assert changed == {
        "v07 plain-share-imdb": ("contradicted", "exceeded"),
        "v07 spatial-share-cifar10": ("contradicted", "exceeded"),
        "v07 spatial-share-imdb": ("contradicted", "exceeded"),
        "v10 3-to-15-best": ("holds", "tied"),
        "v11 flat": ("contradicted", "exceeded"),
        "v11 3-to-50-best": ("contradicted", "tied"),
        "v11 exponential-earlier": (None, "holds"),
        "v11 sharpening-earlier": (None, "holds"),
        "c2b three-are-enough": ("undecided", "exceeded"),
        "c5 sharpening-has-places": ("contradicted", "undecided"),
        "c6 one-number-equals": ("contradicted", "exceeded"),
        "c6c sgd-square-equals": ("contradicted", "exceeded"),
        "c6d wide-one-number-equals": ("contradicted", "undecided"),
        "c6d transformer-one-number-equals": ("contradicted", "undecided"),
    }


def test_the_ledger_shows_both_verdicts_where_they_differ() -> None:
    shown = report.ledger(studies.ledger())
    assert "first edition: contradicted" in shown.html
    assert "first edition: no such claim" in shown.html
    assert "first edition: holds" in shown.html
    rows = {row["key"]: row for row in report.ledger_rows(studies.ledger())}
    assert rows["flat"]["first_edition"] == "contradicted"
    assert rows["five-points"]["low"] > rows["five-points"]["decides_low"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--margin", "-1"], "margin: expected a number of points > 0"),
        (["--alpha", "2"], "alpha: expected a level between 0 and 1"),
        (["--correction", "some"], "correction: expected one of"),
        (["--seeds", "0-30"], "20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30: not recorded for any"),
        (["--population", "both"], "takes the answers of runs to every test image"),
        (["--edition", "3"], "edition: expected 1 or 2"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence_and_exit_code_1(
    options: list[str], message: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, ["ledger", *options, "--store", str(tmp_path)])
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1
