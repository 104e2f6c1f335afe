"""Claims about the spread of an arm over seeds, and the rule that decides them.

The claims of a study are tested in a fixed sequence, each at 5 %, and only while all earlier ones
hold. The probability of any false "holds" is therefore at most 5 % without a correction.
Source: Brown and Forsythe 1974, robust tests for the equality of variances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialnb.extras import needed

ALPHA = 0.05
"""Significance level of each test in the sequence."""
NO_LESS = 0.8
"""Ratios of standard deviations of at least this do not count as a reduction."""
RESAMPLES = 9_999
"""Number of bootstrap samples for a ratio's interval."""
FEWEST = 10
"""Minimum number of seeds; with fewer, a bootstrap sample may have zero variance."""


@dataclass(frozen=True, kw_only=True)
class SpreadClaim:
    """The claim that an arm's results vary less over seeds than another's.

    The claim is about r, the ratio of the standard deviations over seeds of `arm` and `against`.

    Parameters
    ----------
    key, words : the claim's name and its sentence.
    arm, against : the arms, measured on the same seeds.
    seen : the ratio on the seeds that suggested the claim; they are not used to decide it.
    """

    key: str
    words: str
    arm: str
    against: str
    seen: float

    def rule_text(self) -> str:
        """The rule in words."""
        return (
            f"r = standard deviation over seeds of {self.arm} to that of {self.against}; holds if "
            "the claims before it hold and a one-sided Brown-Forsythe test (5 %) finds the spread "
            f"of {self.arm} smaller; contradicted if the 90 % bootstrap interval of r lies above "
            f"{NO_LESS:g}; otherwise undecided. Second line: whether r on the seeds that suggested "
            "the claim lies in the 95 % bootstrap interval"
        )


@dataclass(frozen=True, kw_only=True)
class SpreadFinding:
    """The verdict on a claim about spread.

    `low` and `high` bound the 95 % bootstrap interval of the ratio, not corrected for other claims;
    `p` is the p value of the one-sided test.
    """

    claim: SpreadClaim
    ratio: float
    low: float
    high: float
    n: int
    p: float
    verdict: str
    seen_in_interval: bool


def less_spread(a: Sequence[float], b: Sequence[float]) -> float:
    """P value of the one-sided Brown-Forsythe test of "a varies no less than b".

    This is Levene's test centred at the median. For two samples its F is the square of a t
    statistic, so half of its p value is the one-sided p value in the observed direction.
    """
    stats = needed("scipy.stats")

    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    p = float(stats.levene(first, second, center="median").pvalue) / 2.0
    mean = [float(np.abs(values - np.median(values)).mean()) for values in (first, second)]
    return p if mean[0] < mean[1] else 1.0 - p


def spread_ratio(
    a: Sequence[float], b: Sequence[float], level: float = 0.95
) -> tuple[float, float, float]:
    """The ratio of the standard deviations of a and b, and its bootstrap interval.

    Seeds are resampled, keeping the two values of a seed together; the interval is bias-corrected
    and accelerated (BCa), from a fixed random state.
    """
    stats = needed("scipy.stats")

    def ratio(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> object:
        return x.std(ddof=1, axis=axis) / y.std(ddof=1, axis=axis)

    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    interval = stats.bootstrap(
        (first, second),
        ratio,
        paired=True,
        vectorized=True,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    estimate = float(first.std(ddof=1) / second.std(ddof=1))
    return estimate, float(interval.low), float(interval.high)


def judge_spread(
    claims: Sequence[SpreadClaim], samples: Callable[[str], Mapping[Any, float]]
) -> list[SpreadFinding]:
    """Judge a study's claims about spread, and return their findings in order.

    Parameters
    ----------
    claims : in the order in which they are tested.
    samples : from an arm to its values by seed.

    Raises
    ------
    ValueError : the two arms of a claim share fewer than :data:`FEWEST` seeds.
    """
    findings, before = [], True
    for claim in claims:
        left, right = samples(claim.arm), samples(claim.against)
        seeds = [seed for seed in left if seed in right]
        if len(seeds) < FEWEST:
            raise ValueError(
                f"claim {claim.key}: expected at least {FEWEST} seeds shared by both arms, "
                f"got {len(seeds)}"
            )
        a, b = [left[seed] for seed in seeds], [right[seed] for seed in seeds]
        ratio, low, high = spread_ratio(a, b)
        p = less_spread(a, b)
        verdict = "undecided"
        if before and p < ALPHA:
            verdict = "holds"
        elif spread_ratio(a, b, 0.90)[1] > NO_LESS:
            verdict = "contradicted"
        before = verdict == "holds"
        findings.append(
            SpreadFinding(
                claim=claim,
                ratio=ratio,
                low=low,
                high=high,
                n=len(seeds),
                p=p,
                verdict=verdict,
                seen_in_interval=low <= claim.seen <= high,
            )
        )
    return findings
