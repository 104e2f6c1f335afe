"""Intervals and tests from samples: plain numbers in, plain numbers out.

Differences are paired, because runs with the same seed share initialisation and batch order.
Samples that are all equal (a quantity that does not depend on the seed) have zero variance, and
their interval is a single point.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spatialnb.extras import needed

Key = TypeVar("Key", bound=Hashable)
Values = NDArray[np.float64]
"""Samples as an array."""

ROUNDING = 1e-12
"""Samples count as equal if their range, relative to the largest, is below this. Differences of
equal numbers leave about 1e-16."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, the number of samples and their standard deviation.

    `sd` is the sample standard deviation (``ddof=1``). With n = 1 there is no spread: `low`, `high`
    and `sd` are NaN.
    """

    estimate: float
    low: float
    high: float
    n: int
    sd: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with a standard error that does not come from n independent samples, for t tests.

    Parameters
    ----------
    mean, se, df : the mean, its standard error, and the error's degrees of freedom.
    n, sd : the number of seeds, and the standard deviation over them, for display.
    """

    mean: float
    se: float
    df: float
    n: int
    sd: float


Sample = Sequence[float] | Estimate
"""Independent samples, or a mean with a given standard error."""


def mean_interval(samples: Sample, level: float = 0.95) -> Interval:
    r"""Mean and its t interval, $\bar x \pm t_{n-1} s / \sqrt n$.

    Raises
    ------
    ValueError : no samples, one that is not finite, or a level outside (0, 1).
    """
    stats = needed("scipy.stats")  # here: importing scipy would slow down the command line

    if not 0.0 < level < 1.0:
        raise ValueError(f"level: expected 0 < level < 1, got {level}")
    if isinstance(samples, Estimate):
        half = float(stats.t.ppf(0.5 + level / 2.0, samples.df)) * samples.se
        low, high = samples.mean - half, samples.mean + half
        return Interval(samples.mean, low, high, samples.n, samples.sd)
    values = _values(samples)
    mean, sd, n = _moments(values)
    half = float(stats.t.ppf(0.5 + level / 2.0, n - 1)) * sd / math.sqrt(n) if n > 1 else math.nan
    return Interval(mean, mean - half, mean + half, n, sd)


def prediction_interval(
    samples: Sequence[float], count: int, level: float = 0.95
) -> tuple[float, float]:
    r"""Interval for the mean of m = `count` new samples: $\bar x \pm t_{n-1} s \sqrt{1/n + 1/m}$.

    Source: Patil, Peng and Leek 2016, prediction intervals for a replication.

    Raises
    ------
    ValueError : fewer than two samples, or a count below 1.
    """
    stats = needed("scipy.stats")

    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    mean, sd, n = _moments(_several(samples))
    half = float(stats.t.ppf(0.5 + level / 2.0, n - 1)) * sd * math.sqrt(1.0 / n + 1.0 / count)
    return mean - half, mean + half


def differences(a: Mapping[Key, float], b: Mapping[Key, float]) -> list[float]:
    """Differences a - b by key, in the order of a.

    Raises
    ------
    ValueError : a and b do not have the same keys; the message names the unpaired ones.
    """
    if set(a) != set(b):
        alone = sorted(str(key) for key in set(a) ^ set(b))
        raise ValueError(f"cannot pair the samples: no partner for {', '.join(alone)}")
    return [_difference(value, b[key]) for key, value in a.items()]


def paired_difference(
    a: Mapping[Key, float], b: Mapping[Key, float], level: float = 0.95
) -> Interval:
    """Mean of the differences a - b by key (seed), with its t interval. Errors: `differences`."""
    return mean_interval(differences(a, b), level)


def t_test(samples: Sample) -> float:
    """Two-sided p value of "the mean is 0"; 0 or 1 if the samples have no variance."""
    stats = needed("scipy.stats")

    if isinstance(samples, Estimate):
        return min(1.0, 2.0 * _above(samples, abs(samples.mean), 0.0))
    mean, sd, n = _moments(_several(samples))
    if sd == 0.0:
        return float(mean == 0.0)
    return float(2.0 * stats.t.sf(abs(mean) / (sd / math.sqrt(n)), n - 1))


def equivalence(samples: Sample, margin: float, around: float = 0.0) -> float:
    """P value of the two one-sided tests (TOST) of "the mean is not within `around` ± `margin`".

    A small value means that the mean lies within. It is the larger p value of the two tests.

    Raises
    ------
    ValueError : fewer than two samples, or a margin that is not > 0.
    """
    weightstats = needed("statsmodels.stats.weightstats")

    if not margin > 0.0:
        raise ValueError(f"margin: expected a number > 0, got {margin}")
    if isinstance(samples, Estimate):
        off = abs(samples.mean - around)
        return _above(samples, margin, off)
    values = _several(samples)
    mean, sd, _ = _moments(values)
    if sd == 0.0:
        return float(not abs(mean - around) < margin)
    return float(weightstats.DescrStatsW(values).ttost_mean(around - margin, around + margin)[0])


def unpaired_difference(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """Difference of the means of two independent samples, a - b, with Welch's interval.

    `n` is the size of the smaller sample; `sd` is NaN, since there is no single standard deviation.

    Raises
    ------
    ValueError : fewer than two samples on a side.
    """
    both = _several(a), _several(b)
    (mean_a, sd_a, n_a), (mean_b, sd_b, n_b) = map(_moments, both)
    difference, n = _difference(mean_a, mean_b), min(n_a, n_b)
    if sd_a == sd_b == 0.0:
        return Interval(difference, difference, difference, n, math.nan)
    low, high = _welch(both).tconfint_diff(1.0 - level, usevar="unequal")
    return Interval(difference, float(low), float(high), n, math.nan)


def unpaired_equivalence(a: Sequence[float], b: Sequence[float], margin: float) -> float:
    """P value of the two one-sided Welch tests of "the means differ by `margin` or more".

    Raises
    ------
    ValueError : fewer than two samples on a side, or a margin that is not > 0.
    """
    if not margin > 0.0:
        raise ValueError(f"margin: expected a number > 0, got {margin}")
    both = _several(a), _several(b)
    (mean_a, sd_a, _), (mean_b, sd_b, _) = map(_moments, both)
    if sd_a == sd_b == 0.0:
        return float(not abs(mean_a - mean_b) < margin)
    return float(_welch(both).ttost_ind(-margin, margin, usevar="unequal")[0])


def _welch(both: tuple[Values, Values]) -> Any:
    weightstats = needed("statsmodels.stats.weightstats")

    return weightstats.CompareMeans(*map(weightstats.DescrStatsW, both))


def not_below(samples: Sample, bound: float) -> float:
    """P value of the one-sided test of "the mean is at most `bound`" (noninferiority).

    A small value means that the mean lies above the bound.
    """
    stats = needed("scipy.stats")

    if isinstance(samples, Estimate):
        return _above(samples, samples.mean, bound)
    mean, sd, n = _moments(_several(samples))
    if sd == 0.0:
        return float(not mean > bound)
    return float(stats.t.sf((mean - bound) / (sd / math.sqrt(n)), n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected by Holm's step-down method, in the order given."""
    return _corrected(p_values, "holm")


def holm_levels(p_values: Sequence[float], alpha: float = 0.05) -> list[float]:
    r"""Confidence levels whose intervals exclude 0 exactly if Holm's method rejects.

    The i-th smallest of m p values (i from 0) gets $1 - \alpha / (m - i)$, up to the first that is
    not rejected; all later ones get the same level as that one.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    levels = [math.nan] * len(order)
    tail, going_on = alpha, True
    for place, index in enumerate(order):
        if going_on:
            tail = alpha / (len(order) - place)
            going_on = p_values[index] < tail
        levels[index] = 1.0 - tail
    return levels


def fdr(p_values: Sequence[float]) -> list[float]:
    """P values corrected by the step-up method of Benjamini and Hochberg, in the order given."""
    return _corrected(p_values, "fdr_bh")


def _corrected(p_values: Sequence[float], method: str) -> list[float]:
    multipletests = needed("statsmodels.stats.multitest").multipletests

    if not len(p_values):
        return []
    # multipletests calls gc.collect(), which takes 0.2 s with all records in memory: keep them out.
    gc.freeze()
    try:
        return [float(p) for p in multipletests(p_values, method=method)[1]]
    finally:
        gc.unfreeze()


def fdr_levels(p_values: Sequence[float], alpha: float = 0.05) -> list[float]:
    r"""Confidence levels whose intervals exclude 0 exactly if Benjamini-Hochberg's method rejects.

    With R of m rejected, all get $1 - R \alpha / m$ (Benjamini and Yekutieli 2005), R at least 1.
    """
    rejected = sum(p <= alpha for p in fdr(p_values))
    return [1.0 - max(rejected, 1) * alpha / len(p_values) for _ in p_values]


def share_above(samples: Sequence[float]) -> float:
    """Fraction of the samples above 0, where samples at 0 count half.

    For paired differences it estimates P(A > B), the probability that A wins on a new seed.
    """
    values = _values(samples)
    return float(((values > 0.0) + 0.5 * (values == 0.0)).mean())


def _above(estimate: Estimate, value: float, bound: float) -> float:
    """P value of the one-sided test of "the value, with this error, is at most `bound`"."""
    from scipy import stats

    if estimate.se == 0.0:
        return float(not value > bound)
    return float(stats.t.sf((value - bound) / estimate.se, estimate.df))


def _difference(a: float, b: float) -> float:
    difference = a - b
    return 0.0 if abs(difference) <= ROUNDING * max(abs(a), abs(b)) else difference


def _values(samples: Sequence[float]) -> Values:
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError("no samples: an interval needs at least one")
    if not np.isfinite(values).all():
        raise ValueError(f"samples: expected finite numbers, got {values[~np.isfinite(values)][0]}")
    return values


def _several(samples: Sequence[float]) -> Values:
    values = _values(samples)
    if values.size < 2:
        raise ValueError("a test needs at least two samples, got 1")
    return values


def _moments(values: Values) -> tuple[float, float, int]:
    """Mean, standard deviation and n."""
    n = int(values.size)
    if n == 1:
        return float(values[0]), math.nan, 1
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        return float(values[0]), 0.0, n
    return float(values.mean()), float(values.std(ddof=1)), n
