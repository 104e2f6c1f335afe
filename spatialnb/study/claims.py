"""Claims and findings.

A claim is stated before the runs that decide it are made. :mod:`spatialnb.study.rules` defines the
rules that decide claims, :mod:`spatialnb.study.judging` applies them. Source: the protocol, "Claims
and verdicts".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from spatialnb.study.inference import Interval

Rule = Literal["beats", "equals", "at_least", "between"]
"""What a claim states about D; :class:`Claim` explains each rule."""
Verdict = Literal["holds", "exceeded", "tied", "contradicted", "undecided", "not judged"]
"""Verdicts. ``exceeded``: the arm does better than claimed. ``tied``: the best arm, but equivalent
to the runner-up. The first edition of the rules has neither."""
Size = Literal["as reported", "larger", "smaller", "other sign"]
"""How an estimate compares with the effect size that the log reports."""
Better = Literal["", "higher", "lower"]
"""The direction in which D is better than claimed."""
FEW = 5
"""A verdict on fewer seeds, or pairs of seeds, is shown with a warning."""
EDITIONS = (1, 2)
"""Editions of the rules. The verdicts of both are kept."""
Samples = Callable[[str, str], Mapping[Any, float]]
"""From an arm and a metric to the values by seed, or by pair of seeds."""
Arms = str | tuple[str, ...]
"""One arm, or several."""

KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Pattern of a claim's key."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the log as a comparison of arms, with the rule that decides it.

    The claim is about D, the difference `arm` - `against` by seed (by pair of seeds for a
    similarity), or `arm` - `than` if `against` is None.

    Parameters
    ----------
    chapter : the study's id, e.g. ``"v05"``.
    key : the claim's name within the chapter, lower-case words joined by "-"; glued as
        ``v05-claim-<key>``.
    words : the claim in the book's words.
    rule : ``beats`` (D > 0), ``equals`` (size of D < margin), ``at_least`` (D > -margin) or
        ``between`` (low <= D <= high). :func:`spatialnb.study.rules.rule_text` gives the criterion.
    arm, against : an arm, or a tuple of arms, which stands for their mean by seed. An arm of
        another chapter is written as ``"v01/linear"``.
    each : compare every arm in `arm` with every arm in `against`, instead of the means. The claim
        holds if it holds in all comparisons, and is contradicted if it is in one: "best of all",
        "every kernel beats none". The finding shows the comparison least favourable to the claim.
    metric, against_metric : the metric that is compared, a name of :mod:`spatialnb.study.metrics`.
        `against` uses `metric` as well unless `against_metric` is given.
    than : the number to compare with if there is no `against`.
    margin : the difference that does not matter, in the metric's unit.
    low, high : the bounds of ``between``.
    as_share : with ``between``: `arm` in percent of `against`, instead of the difference.
    reported : the reported size of D, in the metric's unit.
    unit : the unit of D, for the ledger.
    note : a remark for readers of the ledger.
    better : for ``equals`` and ``between``, the direction in which D is better than claimed. Used
        by the second edition of the rules only, like `best_of` and `since`.
    best_of : whether the claim is that `arm` is the best among itself and `against`.
    since : the edition in which the claim was added; earlier editions do not judge it.

    Raises
    ------
    ValueError : the parts do not fit the rule.
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
    better: Better = ""
    best_of: bool = False
    since: int = 1

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
            raise ValueError(f"{what}: low, high and as_share are only for the rule 'between'")
        if self.better not in get_args(Better):
            raise ValueError(f"{what}: better: expected higher or lower, got {self.better!r}")
        if self.better and self.rule not in ("equals", "between"):
            raise ValueError(f"{what}: better is only for the rules 'equals' and 'between'")
        if self.best_of and not (self.rule == "beats" and self.each):
            raise ValueError(f"{what}: best_of needs the rule 'beats' and each")
        if self.since not in EDITIONS:
            raise ValueError(f"{what}: since: expected 1 or 2, got {self.since!r}")
        if not self.margin > 0.0:
            raise ValueError(f"{what}: expected a margin > 0, got {self.margin}")
        if self.against is None and (self.as_share or self.against_metric is not None):
            raise ValueError(f"{what}: as_share and against_metric need `against`")
        if self.against is not None and self.than != 0.0:
            raise ValueError(f"{what}: give `against` or `than`, not both")
        if not arms_of(self.arm) or (self.against is not None and not arms_of(self.against)):
            raise ValueError(f"{what}: name at least one arm")

    @property
    def comparisons(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """The pairs (arms, against) that decide the claim: one, or all of them with `each`."""
        left, right = arms_of(self.arm), () if self.against is None else arms_of(self.against)
        if not self.each:
            return ((left, right),)
        if not right:
            return tuple(((arm,), ()) for arm in left)
        return tuple(((a,), (b,)) for a, b in itertools.product(left, right))

    @property
    def is_difference(self) -> bool:
        """Whether D is a difference, which has a sign, rather than a value or a percentage."""
        return (self.against is not None or self.than != 0.0) and not self.as_share

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms that the claim needs, without repeats."""
        both = [*arms_of(self.arm), *(() if self.against is None else arms_of(self.against))]
        return tuple(dict.fromkeys(both))

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics that the claim needs."""
        return tuple(dict.fromkeys([self.metric, self.against_metric or self.metric]))

    @property
    def size(self) -> str:
        """The margin with its unit."""
        return f"{self.margin:g} {self.unit}".rstrip()

    @property
    def rounding(self) -> float:
        """Half a unit of the reported size's last digit: 64.7 means 64.65 to 64.75."""
        if self.reported is None:
            return 0.0
        exponent = Decimal(str(self.reported)).as_tuple().exponent
        return 0.5 * float(10.0 ** min(int(exponent), 0))

    @property
    def difference(self) -> str:
        """D in words."""
        join = " or ".join if self.each else " and ".join
        wrap = "" if self.each else "the mean of "

        def name(arms: Arms) -> str:
            listed = arms_of(arms)
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
    """A row of the ledger: a claim, our estimate, and the verdict.

    Parameters
    ----------
    interval, level : the interval of D that decides the verdict, and its confidence level; adjusted
        for multiple comparisons if the claim's comparisons are corrected.
    single : the 95 % interval of this estimate alone.
    p, p_corrected : p value of the rule's test (two-sided t test, two one-sided tests, or one-sided
        test), before and after the correction.
    reported_in_interval : whether the reported size, "by x points", lies in the interval.
    small : whether a "beats" holds by less than the margin.
    equivalent : whether the difference of a "beats" is shown to lie within the margin.
    edition, rule : the edition of the rules, and the rule in words.
    comparison : the arms of the comparison shown.
    wins : the fraction of seeds with D above 0.
    first : the verdict under the first edition's rules, if that edition has the claim.
    """

    claim: Claim
    interval: Interval
    verdict: Verdict
    level: float = 0.95
    p: float | None = None
    p_corrected: float | None = None
    reported_in_interval: bool | None = None
    reason: str = ""
    single: Interval | None = None
    small: bool = False
    equivalent: bool = False
    edition: int = 2
    rule: str = ""
    comparison: str = ""
    wins: float | None = None
    first: Verdict | None = None

    @property
    def estimate(self) -> Interval:
        """The estimate with its own 95 % interval."""
        return self.single or self.interval

    @property
    def size(self) -> Size | None:
        """Whether the reported size lies in the 95 % interval; if not, how the estimate differs.

        This is independent of the verdict: a claim can hold in direction but differ in size. None
        if the log reports no size, or if the estimate has no interval.
        """
        if self.reported_in_interval is None or self.claim.reported is None:
            return None
        if self.reported_in_interval:
            return "as reported"
        reported, ours = self.claim.reported, self.estimate.estimate
        if reported * ours < 0.0:
            return "other sign"
        return "larger" if abs(ours) > abs(reported) else "smaller"

    @property
    def few(self) -> bool:
        """Whether the verdict is based on fewer than :data:`FEW` seeds, or pairs of seeds."""
        return self.verdict != "not judged" and self.interval.n < FEW

    @property
    def amended(self) -> bool:
        """Whether the first edition's rules give another verdict, or lack this claim of the log.

        Chapters of Part II that are new in the second edition do not count as amended.
        """
        later = self.first is None and self.claim.chapter.startswith("c")
        return self.edition > 1 and self.verdict != self.first and not later


def arms_of(arms: Arms) -> tuple[str, ...]:
    """One or several arms as a tuple."""
    return (arms,) if isinstance(arms, str) else tuple(arms)
