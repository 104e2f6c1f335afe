"""Claims of the report, and the rules that decide them.

A claim is written down before the runs that decide it are made. :func:`judge` takes the claims of
one chapter together, because the comparisons of its "beats" claims are corrected as one family.
Source: the protocol, "Claims and verdicts".
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from spatialnb.study import inference
from spatialnb.study.inference import Interval

Rule = Literal["beats", "equals", "at_least", "between"]
"""What a claim says of D; :class:`Claim` explains each."""
Verdict = Literal["holds", "contradicted", "undecided", "not judged"]
"""What becomes of a claim."""
Samples = Callable[[str, str], Mapping[Any, float]]
"""From an arm and a metric to the values by seed, or by pair of seeds."""
Arms = str | tuple[str, ...]
"""One arm, or several."""

ALPHA = 0.05
"""Size of every test: intervals are at 95 %."""
KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a claim's key looks like."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the report as a comparison of arms, with the rule that decides it.

    The claim is about D, the difference `arm` - `against` by seed (by pair of seeds for a
    similarity), or `arm` - `than` where `against` is None.

    Parameters
    ----------
    chapter : the study's id, e.g. ``"v05"``.
    key : the claim's name in the chapter, lower-case words joined by "-"; glued as
        ``v05-claim-<key>``.
    words : the claim in the book's own words.
    rule : ``beats`` (D > 0), ``equals`` (size of D < margin), ``at_least`` (D > -margin) or
        ``between`` (low <= D <= high). :meth:`rule_text` says what decides.
    arm, against : an arm, or a tuple of arms that stands for their mean by seed. An arm of another
        chapter is written ``"v01/linear"``.
    each : every arm in `arm` is compared with every one in `against`, instead of the means. The
        claim holds if all comparisons do and is contradicted if one is: "best of all",
        "every kernel beats none". The finding shows the comparison that is worst for the claim.
    metric, against_metric : what is compared, names of :mod:`spatialnb.study.metrics`. `against` is
        measured by `metric` too unless it has its own.
    than : the number that an arm alone is compared with.
    margin : the difference that does not matter, in the metric's unit.
    low, high : the bounds of ``between``.
    as_share : with ``between``: `arm` in percent of `against`, instead of the difference.
    reported : the reported size of D, in the metric's unit.
    unit : the unit of D, for the ledger.
    note : what a reader of the ledger must know besides.

    Raises
    ------
    ValueError : the parts do not make a rule.
    """

    chapter: str
    key: str
    words: str
    rule: Rule
    arm: Arms
    against: Arms | None = None
    each: bool = False
    metric: str = "accuracy"
    against_metric: str | None = None
    than: float = 0.0
    margin: float = 0.5
    low: float | None = None
    high: float | None = None
    as_share: bool = False
    reported: float | None = None
    unit: str = "points"
    note: str = ""

    def __post_init__(self) -> None:
        what = f"claim {self.chapter}/{self.key}"
        if not KEY.fullmatch(self.key):
            raise ValueError(f"{what}: expected a key of lower-case words joined by '-'")
        if self.rule not in get_args(Rule):
            raise ValueError(
                f"{what}: unknown rule {self.rule!r}; known: {', '.join(get_args(Rule))}"
            )
        if self.rule == "between":
            if self.low is None or self.high is None or not self.low <= self.high:
                raise ValueError(
                    f"{what}: 'between' needs low <= high, got {self.low}, {self.high}"
                )
        elif self.low is not None or self.high is not None or self.as_share:
            raise ValueError(f"{what}: low, high and as_share belong to the rule 'between' alone")
        if not self.margin > 0.0:
            raise ValueError(f"{what}: expected a margin > 0, got {self.margin}")
        if self.against is None and (self.as_share or self.against_metric is not None):
            raise ValueError(f"{what}: as_share and against_metric need `against`")
        if self.against is not None and self.than != 0.0:
            raise ValueError(f"{what}: give `against` or `than`, not both")
        if not _arms(self.arm) or (self.against is not None and not _arms(self.against)):
            raise ValueError(f"{what}: no arms are named")

    @property
    def comparisons(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """The pairs (arms, against) that decide the claim: one, or all of them with `each`."""
        left, right = _arms(self.arm), () if self.against is None else _arms(self.against)
        if not self.each:
            return ((left, right),)
        if not right:
            return tuple(((arm,), ()) for arm in left)
        return tuple(((a,), (b,)) for a, b in itertools.product(left, right))

    @property
    def is_difference(self) -> bool:
        """Whether D is a difference, which has a sign, and not a value or a share."""
        return (self.against is not None or self.than != 0.0) and not self.as_share

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm that the claim needs, each once."""
        both = [*_arms(self.arm), *(() if self.against is None else _arms(self.against))]
        return tuple(dict.fromkeys(both))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the claim needs."""
        return tuple(dict.fromkeys([self.metric, self.against_metric or self.metric]))

    @property
    def size(self) -> str:
        """The margin with its unit."""
        return f"{self.margin:g} {self.unit}".rstrip()

    def rule_text(self) -> str:
        """The rule, spelled out for the ledger."""
        size = self.size
        text = {
            "beats": "holds if the Holm-corrected (within the chapter) 95 % interval of D lies "
            "above 0; contradicted if it lies below 0, or if two one-sided tests put D within "
            f"±{size}; otherwise undecided",
            "equals": f"holds if two one-sided tests (5 % each) put D within ±{size}; contradicted "
            f"if the 95 % interval excludes 0 and |D| exceeds {size}; otherwise undecided",
            "at_least": f"holds if a one-sided test (5 %) puts D above -{size}; contradicted if "
            f"the 95 % interval lies below 0 and D is below -{size}; otherwise undecided",
            "between": f"holds if the 95 % interval of D lies within [{self.low}, {self.high}] "
            f"{self.unit}; contradicted if it lies outside entirely; otherwise undecided",
        }[self.rule]
        each = "; with several comparisons, holds if all do and is contradicted if one is"
        return f"{self._difference()}; {text}{each if len(self.comparisons) > 1 else ''}"

    def _difference(self) -> str:
        """What D is, in words."""
        join = " or ".join if self.each else " and ".join
        wrap = "" if self.each else "the mean of "

        def name(arms: Arms) -> str:
            listed = _arms(arms)
            return listed[0] if len(listed) == 1 else wrap + join(listed)

        left = f"{self.metric} of {name(self.arm)}"
        if self.against is None:
            return f"D = {left}" + (f" minus {self.than:g}" if self.than else "")
        right = name(self.against)
        if self.against_metric is not None:
            right = f"{self.against_metric} of {right}"
        return f"D = {left} " + (f"in percent of {right}" if self.as_share else f"minus {right}")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A row of the ledger: a claim, what we measured, and the verdict.

    `interval` is that of D at the confidence `level`. `p` is the p value of the test that the rule
    names (two-sided t test; two one-sided tests; one-sided test), `p_holm` is corrected for the
    chapter. `reported_in_interval` is the claim's second line, "by x points".
    """

    claim: Claim
    interval: Interval
    verdict: Verdict
    level: float = 1.0 - ALPHA
    p: float | None = None
    p_holm: float | None = None
    reported_in_interval: bool | None = None
    reason: str = ""


def judge(claims: Sequence[Claim], samples: Samples) -> list[Finding]:
    """Findings of one chapter's claims, in their order.

    The Holm family is every comparison of the chapter's ``beats`` claims. Seeds without a value in
    every arm are left out of that comparison, and the finding's reason names them.

    Parameters
    ----------
    claims : all claims of a chapter.
    samples : from an arm and a metric to the values by seed, or by pair of seeds.
    """
    compared = [_compare(claim, samples) for claim in claims]
    family = [part for parts in compared for part in parts if part.in_family]
    p_values = [inference.t_test(part.values) for part in family]
    corrected = zip(
        family, inference.holm(p_values), inference.holm_levels(p_values, ALPHA), strict=True
    )
    holm = {id(part): (p, level) for part, p, level in corrected}
    return [
        _worst([_find(part, *holm.get(id(part), (None, 1.0 - ALPHA))) for part in parts])
        for parts in compared
    ]


def not_judged(claim: Claim, reason: str, interval: Interval | None = None) -> Finding:
    """The finding of a claim that these runs do not decide."""
    nothing = Interval(math.nan, math.nan, math.nan, 0, math.nan)
    return Finding(claim=claim, interval=interval or nothing, verdict="not judged", reason=reason)


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """The samples of D of one comparison, and the seeds that it does without."""

    claim: Claim
    name: str
    values: list[float]
    left_out: list[str]

    @property
    def in_family(self) -> bool:
        return self.claim.rule == "beats" and len(self.values) > 1


def _compare(claim: Claim, samples: Samples) -> list[_Comparison]:
    parts = []
    for arms, against in claim.comparisons:
        sides = [[samples(arm, claim.metric) for arm in arms]]
        if against:
            other = claim.against_metric or claim.metric
            sides.append([samples(arm, other) for arm in against])
        every = [side for group in sides for side in group]
        keys = [key for key in every[0] if all(key in side for side in every)]
        left_out = {str(key) for side in every for key in side} - {str(key) for key in keys}
        means = [{key: sum(s[key] for s in group) / len(group) for key in keys} for group in sides]
        if claim.as_share:
            values = [100.0 * means[0][key] / means[1][key] for key in keys]
        else:
            base = means[1] if against else dict.fromkeys(keys, claim.than)
            values = inference.differences(means[0], base)
        name = " and ".join(arms) + (f" against {' and '.join(against)}" if against else "")
        parts.append(
            _Comparison(
                claim=claim, name=name, values=values, left_out=sorted(left_out, key=_number)
            )
        )
    return parts


def _find(part: _Comparison, p_holm: float | None, level: float) -> Finding:
    claim, values = part.claim, part.values
    if len(values) < 2:
        interval = inference.mean_interval(values) if values else None
        return not_judged(claim, f"{len(values)} sample(s), and a test needs two", interval)
    interval = inference.mean_interval(values, level)
    verdict, p, reason = _RULES[claim.rule](claim, values, interval)
    notes = [reason]
    if len(claim.comparisons) > 1:
        notes.append(f"of {len(claim.comparisons)} comparisons the worst is {part.name}")
    if part.left_out:
        notes.append(f"left out: {', '.join(part.left_out)}")
    return Finding(
        claim=claim,
        interval=interval,
        verdict=verdict,
        level=level,
        p=p,
        p_holm=p_holm,
        reported_in_interval=_contains(interval, claim.reported),
        reason="; ".join(notes),
    )


Decision = tuple[Verdict, float | None, str]
"""A verdict, the p value behind it if there is one, and the reason."""


def _beats(claim: Claim, values: list[float], interval: Interval) -> Decision:
    p = inference.t_test(values)
    if interval.low > 0.0:
        return "holds", p, "the interval lies above 0"
    if interval.high < 0.0:
        return "contradicted", p, "the interval lies below 0"
    if inference.equivalence(values, claim.margin) < ALPHA:
        return "contradicted", p, f"the difference lies within ±{claim.size}"
    return "undecided", p, "the interval holds 0, and more than the margin"


def _equals(claim: Claim, values: list[float], interval: Interval) -> Decision:
    p = inference.equivalence(values, claim.margin)
    if p < ALPHA:
        return "holds", p, f"the difference lies within ±{claim.size}"
    if 0.0 not in interval and abs(interval.estimate) > claim.margin:
        return "contradicted", p, "the interval excludes 0, and the difference exceeds the margin"
    return "undecided", p, "neither equal within the margin nor clearly different"


def _at_least(claim: Claim, values: list[float], interval: Interval) -> Decision:
    p = inference.not_below(values, -claim.margin)
    if p < ALPHA:
        return "holds", p, f"no worse by {claim.size} or more"
    if interval.high < 0.0 and interval.estimate < -claim.margin:
        return "contradicted", p, "the interval lies below 0, and the difference exceeds the margin"
    return "undecided", p, "a loss greater than the margin is neither shown nor excluded"


def _between(claim: Claim, values: list[float], interval: Interval) -> Decision:
    assert claim.low is not None
    assert claim.high is not None
    if claim.low <= interval.low and interval.high <= claim.high:
        return "holds", None, "the interval lies within the bounds"
    if interval.high < claim.low or interval.low > claim.high:
        return "contradicted", None, "the interval lies outside the bounds"
    return "undecided", None, "the interval crosses a bound"


_RULES: dict[str, Callable[[Claim, list[float], Interval], Decision]] = {
    "beats": _beats,
    "equals": _equals,
    "at_least": _at_least,
    "between": _between,
}


def _worst(findings: Sequence[Finding]) -> Finding:
    """The finding of the comparison that is worst for the claim."""
    order = ("not judged", "contradicted", "undecided", "holds")

    def rank(finding: Finding) -> tuple[int, float]:
        claim, estimate = finding.claim, finding.interval.estimate
        if claim.rule == "equals":
            estimate = -abs(estimate)
        if claim.rule == "between":
            assert claim.low is not None
            assert claim.high is not None
            estimate = -abs(estimate - (claim.low + claim.high) / 2.0)
        return order.index(finding.verdict), estimate

    return min(findings, key=rank)


def _contains(interval: Interval, reported: float | None) -> bool | None:
    """Whether the interval meets what rounds to the printed number: 64.7 is 64.65 to 64.75."""
    if reported is None:
        return None
    exponent = Decimal(str(reported)).as_tuple().exponent
    half = 0.5 * 10.0 ** min(int(exponent), 0)
    return interval.low <= reported + half and reported - half <= interval.high


def _arms(arms: Arms) -> tuple[str, ...]:
    return (arms,) if isinstance(arms, str) else tuple(arms)


def _number(key: str) -> tuple[int, str]:
    """Seeds in the order of numbers."""
    return len(key), key
