import math

import pytest

from spatialnb.study.claims import Claim
from spatialnb.study.judging import FIRST_EDITION, not_judged
from spatialnb.study.judging import judge as judge_by
from spatialnb.study.rules import rule_text

WIGGLE = (-0.3, 0.1, 0.2, -0.1, 0.3, -0.2)  # mean 0, sd 0.237: a 95 % interval of about ± 0.25


def claim(rule="beats", **changes):
    base = {"chapter": "v05", "key": "a-b", "words": "A beats B", "arm": "a", "against": "b"}
    return Claim(**{**base, "rule": rule, **changes})


def around(difference, wiggle=WIGGLE, spread=1.0):
    """An arm whose differences to the arm at 0 are these."""
    return {seed: difference + spread * w for seed, w in enumerate(wiggle)}


def judge(claims, arms, settings=FIRST_EDITION):
    return judge_by(claims, arms, settings)


def samples(**arms):
    """Arms by name; "b" is at 0 unless it is given."""
    known = {"b": dict.fromkeys(range(len(WIGGLE)), 0.0), **arms}
    return lambda arm, metric: known[arm]


def verdict(one, **arms):
    (finding,) = judge([one], samples(**arms))
    return finding.verdict


@pytest.mark.parametrize(
    ("difference", "spread", "expected"),
    [
        (2.0, 1.0, "holds"),
        (0.3, 0.1, "holds"),  # small and sure: A does beat B, and the size is a second line
        (-2.0, 1.0, "contradicted"),
        (0.0, 1.0, "contradicted"),  # within ± 0.5 for sure
        (0.4, 3.0, "undecided"),
    ],
)
def test_beats(difference, spread, expected):
    assert verdict(claim(), a=around(difference, spread=spread)) == expected


@pytest.mark.parametrize(
    ("difference", "spread", "expected"),
    [
        (0.0, 1.0, "holds"),
        (0.3, 0.1, "holds"),  # different, and by less than matters
        (2.0, 1.0, "contradicted"),
        (-2.0, 1.0, "contradicted"),
        (0.0, 4.0, "undecided"),
        (0.45, 1.0, "undecided"),
    ],
)
def test_equals(difference, spread, expected):
    assert verdict(claim("equals"), a=around(difference, spread=spread)) == expected


@pytest.mark.parametrize(
    ("difference", "spread", "expected"),
    [
        (2.0, 1.0, "holds"),
        (0.0, 1.0, "holds"),
        (-2.0, 1.0, "contradicted"),
        (-0.4, 1.0, "undecided"),
        (0.0, 4.0, "undecided"),
    ],
)
def test_at_least(difference, spread, expected):
    assert verdict(claim("at_least"), a=around(difference, spread=spread)) == expected


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(1.5, "holds"), (0.0, "contradicted"), (3.0, "contradicted"), (1.0, "undecided")],
)
def test_between(difference, expected):
    one = claim("between", low=1.0, high=2.0)
    assert verdict(one, a=around(difference)) == expected


def test_an_arm_alone_is_compared_with_a_number():
    one = claim("equals", against=None, than=64.7)
    assert verdict(one, a=around(64.7)) == "holds"
    assert verdict(one, a=around(66.0)) == "contradicted"


def test_a_share_is_taken_by_seed():
    one = claim("between", low=95.0, high=99.0, as_share=True)
    separate = {0: 40.0, 1: 50.0, 2: 60.0}
    (finding,) = judge([one], samples(a={s: 0.97 * v for s, v in separate.items()}, b=separate))
    assert finding.verdict == "holds"
    assert finding.interval.estimate == pytest.approx(97.0, rel=1e-12)


def test_a_tuple_of_arms_stands_for_its_mean_by_seed():
    one = claim(arm=("a", "c"), against=("b", "d"))
    (finding,) = judge([one], samples(a=around(1.0), c=around(3.0), d=dict.fromkeys(range(6), 1.0)))
    assert finding.interval.estimate == pytest.approx(1.5, rel=1e-12)
    assert "mean of a and c minus the mean of b and d" in one.difference


def test_best_of_all_holds_only_against_each():
    one = claim(against=("b", "c", "d"), each=True)
    (finding,) = judge([one], samples(a=around(3.0), c=around(1.0), d=around(-2.0)))
    assert finding.verdict == "holds"
    assert "of 3 comparisons the worst is a against c" in finding.reason
    assert verdict(one, a=around(3.0), c=around(1.0), d=around(3.1)) == "contradicted"
    unclear = around(2.8, wiggle=WIGGLE[::-1], spread=5.0)
    assert verdict(one, a=around(3.0), c=around(1.0), d=unclear) == "undecided"


def test_every_comparison_of_a_chapter_counts_for_holm():
    claims = [claim(key=f"k{i}", arm=arm) for i, arm in enumerate("acd")]
    found = judge(claims, samples(a=around(2.0), c=around(0.26), d=around(0.0)))
    assert [f.level for f in found] == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 1 - 0.05 / 2])
    assert all(f.p_corrected >= f.p for f in found)
    # Alone, the second one's interval excludes 0; among three it does not.
    (alone,) = judge([claims[1]], samples(c=around(0.26)))
    assert alone.interval.low > 0.0 > found[1].interval.low


def test_claims_of_equality_do_not_widen_the_intervals_of_others():
    both = judge([claim(), claim("equals", key="e")], samples(a=around(2.0)))
    assert [f.level for f in both] == [0.95, 0.95]
    assert both[1].p_corrected is None


def test_arms_that_are_the_same_bit_for_bit_are_equal_without_a_warning():
    same = {seed: 47.1 + seed / 7 for seed in range(6)}
    assert verdict(claim("equals"), a=same, b=same) == "holds"
    assert verdict(claim("at_least"), a=same, b=same) == "holds"
    assert verdict(claim("beats"), a=same, b=same) == "contradicted"


@pytest.mark.parametrize("rule", ["beats", "equals", "at_least"])
@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_samples_judge_nothing(rule, n):
    few = dict.fromkeys(range(n), 1.0)
    (finding,) = judge([claim(rule)], samples(a=few, b=few))
    assert (finding.verdict, finding.interval.n) == ("not judged", n)


def test_seeds_without_a_value_in_both_arms_are_left_out_and_named():
    gaps = {seed: value for seed, value in around(2.0).items() if seed not in (1, 4)}
    (finding,) = judge([claim()], samples(a=gaps))
    assert finding.interval.n == 4
    assert "left out: 1, 4" in finding.reason


@pytest.mark.parametrize(
    ("reported", "inside"),
    [
        (2.0, True),
        (2.2, True),
        (2.25, True),
        (2.26, False),
        (5.0, False),
        (None, None),
        (2, True),
        (1.5, False),
        (3, False),
    ],
)
def test_the_reported_size_is_inside_if_what_rounds_to_it_is(reported, inside):
    (finding,) = judge([claim(reported=reported)], samples(a=around(2.0)))  # 1.751 to 2.249
    assert finding.reported_in_interval is inside


def test_two_metrics_of_one_arm_can_be_compared():
    one = claim("equals", against="a", against_metric="similarity_permuted", metric="similarity")
    values = {"similarity": around(2.0), "similarity_permuted": around(2.1)}
    (finding,) = judge([one], lambda arm, metric: values[metric])
    assert finding.interval.estimate == pytest.approx(-0.1, abs=1e-12)
    assert one.metrics == ("similarity", "similarity_permuted")


def test_not_judged_carries_the_reason():
    finding = not_judged(claim(), "quick")
    assert (finding.verdict, finding.reason) == ("not judged", "quick")
    assert math.isnan(finding.interval.estimate)


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("rule", ["beats", "equals", "at_least"])
def test_the_rule_is_spelled_out_with_its_margin(rule, edition):
    text = rule_text(claim(rule, margin=0.1), edition)
    assert text.startswith("D = accuracy of a minus b; holds if")
    assert "0.1 points" in text
    assert "contradicted if" in text
    assert text.endswith("otherwise undecided")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "wins"}, "unknown rule 'wins'; known: beats, equals, at_least, between"),
        ({"rule": "between"}, "needs low <= high"),
        ({"rule": "between", "low": 2.0, "high": 1.0}, "needs low <= high"),
        ({"low": 1.0}, "only for the rule 'between'"),
        ({"as_share": True}, "only for the rule 'between'"),
        ({"margin": 0.0}, "expected a margin > 0"),
        ({"key": "No Cost"}, "lower-case words"),
        ({"than": 3.0}, "not both"),
        ({"against": None, "against_metric": "accuracy"}, "need `against`"),
        ({"arm": ()}, "at least one arm"),
    ],
)
def test_parts_that_make_no_rule_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        claim(**changes)
