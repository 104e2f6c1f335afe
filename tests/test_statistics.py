import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spatialnb.study.inference import (
    differences,
    equivalence,
    holm,
    holm_levels,
    mean_interval,
    not_below,
    paired_difference,
    t_test,
    unpaired_difference,
    unpaired_equivalence,
)

SAMPLES = [1.0, 2.0, 4.0, 5.0]  # mean 3, variance 10/3

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))
several = st.lists(numbers, min_size=2, max_size=20)
# The first example pays for the imports, and statsmodels collects garbage in every correction.
unhurried = settings(deadline=None)
few_examples = settings(deadline=None, max_examples=20)

p_values = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12)


def test_the_interval_is_the_t_interval_computed_by_hand():
    interval = mean_interval(SAMPLES)
    half = 3.18244631 * math.sqrt(10.0 / 3.0) / 2.0  # t(0.975, 3 degrees of freedom), from a table
    assert (interval.estimate, interval.n) == (3.0, 4)
    assert interval.sd == pytest.approx(math.sqrt(10.0 / 3.0), rel=1e-15)
    # The table has nine digits.
    assert (interval.low, interval.high) == pytest.approx((3.0 - half, 3.0 + half), rel=1e-6)


def test_one_sample_has_an_estimate_and_no_bounds():
    interval = mean_interval([2.0])
    assert (interval.estimate, interval.n) == (2.0, 1)
    assert all(math.isnan(x) for x in (interval.low, interval.high, interval.sd))


def test_no_samples_are_an_error():
    with pytest.raises(ValueError, match="no samples"):
        mean_interval([])


def test_samples_that_are_not_finite_are_an_error():
    with pytest.raises(ValueError, match="expected finite numbers, got nan"):
        mean_interval([1.0, math.nan])


def test_a_level_outside_0_to_1_is_an_error():
    with pytest.raises(ValueError, match="expected 0 < level < 1, got 95"):
        mean_interval(SAMPLES, level=95)


@pytest.mark.parametrize("value", [0.0, 0.1, 64.7, -1e-9])
def test_samples_without_spread_collapse_to_the_point(value):
    interval = mean_interval([value] * 7)
    assert (interval.low, interval.estimate, interval.high) == (value, value, value)
    assert interval.sd == 0.0
    assert t_test([value] * 7) == (1.0 if value == 0.0 else 0.0)
    assert equivalence([value] * 7, 100.0) == 0.0
    assert equivalence([value] * 7, 0.5, around=value + 1.0) == 1.0
    assert not_below([value] * 7, value - 1.0) == 0.0
    assert not_below([value] * 7, value) == 1.0


def test_differences_of_equal_numbers_are_exactly_0_whatever_the_rounding():
    a = {seed: 0.1 * seed + 0.2 for seed in range(9)}
    b = {seed: 0.2 + seed / 10 for seed in range(9)}
    assert paired_difference(a, b).estimate == 0.0
    assert paired_difference(a, b).sd == 0.0


def test_a_constant_difference_has_no_spread_whatever_the_rounding():
    a = {seed: 48.1 + seed / 7 + 2.3 for seed in range(9)}
    b = {seed: 48.1 + seed / 7 for seed in range(9)}
    assert paired_difference(a, b).sd == 0.0


def test_pairs_are_formed_by_key_and_not_by_place():
    interval = paired_difference({1: 10.0, 2: 20.0}, {2: 19.0, 1: 9.0})
    assert (interval.estimate, interval.sd) == (1.0, 0.0)


def test_samples_without_a_partner_are_named():
    with pytest.raises(ValueError, match="no partner for 2, 3"):
        differences({1: 1.0, 2: 1.0}, {1: 1.0, 3: 1.0})


def test_the_t_test_is_scipys():
    assert t_test(SAMPLES) == pytest.approx(stats.ttest_1samp(SAMPLES, 0.0).pvalue, rel=1e-12)


def test_equivalence_is_the_worse_of_scipys_two_one_sided_tests():
    below = stats.ttest_1samp(SAMPLES, 3.5 - 4.0, alternative="greater").pvalue
    above = stats.ttest_1samp(SAMPLES, 3.5 + 4.0, alternative="less").pvalue
    found = equivalence(SAMPLES, 4.0, around=3.5)
    assert found == pytest.approx(max(below, above), rel=1e-9)  # two libraries' roundings


def test_not_below_is_scipys_one_sided_test():
    expected = stats.ttest_1samp(SAMPLES, -0.5, alternative="greater").pvalue
    assert not_below(SAMPLES, -0.5) == pytest.approx(expected, rel=1e-9)


OTHERS = [2.5, 4.0, 3.0]


def test_unpaired_samples_are_compared_by_welchs_test():
    found = unpaired_difference(SAMPLES, OTHERS)
    expected = stats.ttest_ind(SAMPLES, OTHERS, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.estimate == pytest.approx(np.mean(SAMPLES) - np.mean(OTHERS))
    assert found.n == 3


def test_unpaired_equivalence_is_the_worse_of_two_one_sided_welch_tests():
    low = stats.ttest_ind(np.add(SAMPLES, 4.0), OTHERS, equal_var=False, alternative="greater")
    high = stats.ttest_ind(np.add(SAMPLES, -4.0), OTHERS, equal_var=False, alternative="less")
    expected = max(low.pvalue, high.pvalue)
    assert unpaired_equivalence(SAMPLES, OTHERS, 4.0) == pytest.approx(expected, rel=1e-9)


def test_unpaired_samples_without_spread_differ_exactly_or_not_at_all():
    assert unpaired_difference([2.0, 2.0], [2.0, 2.0, 2.0]).estimate == 0.0
    assert 0.0 not in unpaired_difference([2.0, 2.0], [1.0, 1.0])
    assert unpaired_equivalence([2.0, 2.0], [2.1, 2.1], 0.5) == 0.0
    assert unpaired_equivalence([2.0, 2.0], [3.0, 3.0], 0.5) == 1.0


@pytest.mark.parametrize("test", [unpaired_difference, lambda a, b: unpaired_equivalence(a, b, 1)])
def test_unpaired_tests_need_two_samples_a_side(test):
    with pytest.raises(ValueError, match="at least two samples, got 1"):
        test([1.0], SAMPLES)
    with pytest.raises(ValueError, match="at least two samples, got 1"):
        test(SAMPLES, [1.0])


@pytest.mark.parametrize("test", [t_test, lambda x: equivalence(x, 1.0), lambda x: not_below(x, 0)])
def test_a_test_of_one_sample_is_an_error(test):
    with pytest.raises(ValueError, match="at least two samples, got 1"):
        test([1.0])


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_a_margin_that_is_not_positive_is_an_error(margin):
    with pytest.raises(ValueError, match="margin: expected a number > 0"):
        equivalence(SAMPLES, margin)


def test_holm_corrects_as_in_his_paper():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_holm_levels_step_down_until_one_is_not_rejected():
    # Sorted: 0.005 < 0.05/4 and 0.01 < 0.05/3 are rejected; 0.03 > 0.05/2 is not, and 0.04 keeps
    # its level.
    levels = holm_levels([0.01, 0.04, 0.03, 0.005])
    assert levels == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 1 - 0.05 / 2, 1 - 0.05 / 4])


@unhurried
@given(several)
def test_the_interval_holds_the_estimate_and_widens_with_the_level(samples):
    narrow, wide = mean_interval(samples, 0.9), mean_interval(samples, 0.99)
    assert narrow.estimate in narrow
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@unhurried
@given(several, st.floats(0.01, 100.0))
def test_equivalence_does_not_care_about_the_sign(samples, margin):
    mirrored = [-value for value in samples]
    # Summing in another order changes the last bits of the statistic.
    assert equivalence(samples, margin) == pytest.approx(equivalence(mirrored, margin), rel=1e-6)


@unhurried
@given(several, st.floats(0.01, 10.0))
def test_a_wider_margin_is_no_harder_to_meet(samples, margin):
    assert equivalence(samples, 2 * margin) <= equivalence(samples, margin) + 1e-12


@few_examples
@given(p_values)
def test_holm_only_raises_p_values_and_keeps_their_order(p):
    corrected = holm(p)
    assert all(
        0.0 <= new <= 1.0 and new >= old - 1e-15 for old, new in zip(p, corrected, strict=True)
    )
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= -1e-15).all()


@few_examples
@given(st.lists(several, min_size=1, max_size=6))
def test_a_holm_interval_excludes_0_exactly_where_holm_rejects(families):
    p = [t_test(samples) for samples in families]
    levels = holm_levels(p)
    for samples, corrected, level in zip(families, holm(p), levels, strict=True):
        if abs(corrected - 0.05) > 1e-9:  # at the border the last bits decide
            assert (0.0 not in mean_interval(samples, level)) == (corrected < 0.05)
