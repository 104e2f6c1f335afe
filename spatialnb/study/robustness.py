"""Robustness of verdicts under other settings and seeds, and the power of n seeds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spatialnb.extras import needed
from spatialnb.study import inference
from spatialnb.study.claims import Finding, Verdict
from spatialnb.study.judging import (
    PUBLISHED,
    Case,
    Comparison,
    Settings,
    verdict_at_margins,
    verdicts_only,
)

VARIATIONS: dict[str, Settings] = {
    "margin 0.25": Settings(margin=0.25),
    "margin 1": Settings(margin=1.0),
    "level 0.01": Settings(alpha=0.01),
    "level 0.10": Settings(alpha=0.10),
    "no correction": Settings(correction="none"),
    "Holm over the ledger": Settings(correction="ledger"),
    "false discoveries over the ledger": Settings(correction="fdr"),
}
"""Other settings under which every claim is judged again."""
FIRST = (3, 5, 10)
"""Every claim is judged again on only the first n seeds, or pairs of seeds, for these n."""
HALVES = ("first half", "second half")
"""Every claim is judged again on each half of the seeds, or pairs of seeds."""


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """A claim with its verdicts under all variations.

    Parameters
    ----------
    finding : the published finding.
    verdicts : by variation: :data:`VARIATIONS`, ``first 3`` and so on, :data:`HALVES`.
    without : the verdict when each seed, or pair of seeds, is left out in turn.
    low, high : the range of margins around the claim's own over which the verdict does not change:
        0 and infinity if no margin changes it, None if the rule has no margin.
    """

    finding: Finding
    verdicts: Mapping[str, Verdict]
    without: tuple[Verdict, ...]
    low: float | None
    high: float | None

    @property
    def flip_margin(self) -> float | None:
        """The margin closest to the claim's own, by ratio, at which the verdict changes."""
        ends = [end for end in (self.low, self.high) if end is not None and 0.0 < end < math.inf]
        own = self.finding.claim.margin
        return min(ends, key=lambda end: abs(math.log(end / own)), default=None)

    @property
    def changed_by(self) -> tuple[str, ...]:
        """The variations with all seeds that change the verdict."""
        return tuple(name for name in VARIATIONS if self.verdicts[name] != self.finding.verdict)

    @property
    def flips_without_one(self) -> int:
        """How many seeds, or pairs, change the verdict when left out."""
        return sum(verdict != self.finding.verdict for verdict in self.without)

    @property
    def halves_agree(self) -> bool:
        """Whether each half of the seeds gives the published verdict."""
        return all(self.verdicts[half] == self.finding.verdict for half in HALVES)

    @property
    def robust(self) -> bool:
        """Whether neither another setting nor leaving out a seed changes the verdict."""
        return not self.changed_by and not self.flips_without_one


def robustness(chapters: Sequence[Sequence[Case]]) -> list[Robustness]:
    """Judge every claim under all variations, in order.

    Corrections over the ledger treat all these chapters as one family.
    """
    published = _flat(verdicts_only(chapters, PUBLISHED))
    trials = {name: verdicts_only(chapters, settings) for name, settings in VARIATIONS.items()}
    for count in FIRST:
        trials[f"first {count}"] = verdicts_only(_cut(chapters, slice(count)), PUBLISHED)
    trials["first half"] = verdicts_only(_halves(chapters, first=True), PUBLISHED)
    trials["second half"] = verdicts_only(_halves(chapters, first=False), PUBLISHED)
    verdicts = {name: [found.verdict for found in _flat(judged)] for name, judged in trials.items()}
    most = max((_count(one) for chapter in chapters for one in chapter), default=0)
    without = [
        [found.verdict for found in _flat(verdicts_only(_leave_out(chapters, place), PUBLISHED))]
        for place in range(most)
    ]
    counts = [_count(one) for chapter in chapters for one in chapter]
    ranges = [
        margins(one, chapters, number) for number, chapter in enumerate(chapters) for one in chapter
    ]
    return [
        Robustness(
            finding=finding,
            verdicts={name: found[place] for name, found in verdicts.items()},
            without=tuple(found[place] for found in without[: counts[place]]),
            low=ranges[place][0],
            high=ranges[place][1],
        )
        for place, finding in enumerate(published)
    ]


def _flat(chapters: Sequence[Sequence[Finding]]) -> list[Finding]:
    return list(itertools.chain.from_iterable(chapters))


def _count(one: Case) -> int:
    return max((len(part.values) for part in one.comparisons), default=0)


def _cut(chapters: Sequence[Sequence[Case]], kept: slice) -> list[list[Case]]:
    """The claims with a subset of their samples (seeds, or pairs of seeds)."""
    return [
        [_with(one, [list(p.values)[kept] for p in one.comparisons]) for one in chapter]
        for chapter in chapters
    ]


def _halves(chapters: Sequence[Sequence[Case]], first: bool) -> list[list[Case]]:
    def half(part: Comparison) -> list[object]:
        keys = list(part.values)
        return keys[: len(keys) // 2] if first else keys[len(keys) // 2 :]

    return [
        [_with(one, [half(p) for p in one.comparisons]) for one in chapter] for chapter in chapters
    ]


def _leave_out(chapters: Sequence[Sequence[Case]], place: int) -> list[list[Case]]:
    def rest(part: Comparison) -> list[object]:
        return [key for number, key in enumerate(part.values) if number != place]

    return [
        [_with(one, [rest(p) for p in one.comparisons]) for one in chapter] for chapter in chapters
    ]


def _with(one: Case, keys: Sequence[Sequence[object]]) -> Case:
    parts = tuple(
        dataclasses.replace(part, values={key: part.values[key] for key in kept})
        for part, kept in zip(one.comparisons, keys, strict=True)
    )
    return dataclasses.replace(one, comparisons=parts)


def margins(
    one: Case, chapters: Sequence[Sequence[Case]], chapter: int
) -> tuple[float | None, float | None]:
    """The range of margins over which the published verdict does not change.

    `chapter` is the index of the claim's chapter in `chapters`.

    A verdict can change only when the margin crosses a bound of an interval or the limit of a
    one-sided test, so it is judged once between each two of these.
    """
    if one.claim.rule == "between":
        return None, None
    limits = sorted({limit for part in one.comparisons for limit in _limits(part) if limit > 0.0})
    points = [*limits, one.claim.margin]
    edges = [0.0, *limits, math.inf]
    between = [
        (low + high) / 2.0 if math.isfinite(high) else 2.0 * max(points)
        for low, high in itertools.pairwise(edges)
    ]
    own = next(i for i, high in enumerate(edges[1:]) if one.claim.margin <= high)
    verdicts = verdict_at_margins(one, chapters[chapter], [*between, one.claim.margin])
    published = verdicts.pop()
    low = high = own
    while low > 0 and verdicts[low - 1] == published:
        low -= 1
    while high < len(verdicts) - 1 and verdicts[high + 1] == published:
        high += 1
    return edges[low], edges[high + 1]


def _limits(part: Comparison) -> list[float]:
    """Margins at which the result of a test or interval of this comparison changes."""
    values = list(part.values.values())
    if len(values) < 2:
        return []
    alpha = PUBLISHED.alpha
    single = inference.mean_interval(values, 1.0 - alpha)
    tost = inference.mean_interval(values, 1.0 - 2.0 * alpha)
    bounds = (single.low, single.high, tost.low, tost.high)
    return [max(abs(tost.low), abs(tost.high)), *map(abs, bounds)]


# ── Power of n seeds ────────────────────────────────────────────────────────────────────────────


def smallest_difference(n: int, sd: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The difference that a paired t test detects with this power, in the unit of `sd`.

    Parameters
    ----------
    n : number of seeds.
    sd : standard deviation of the differences over seeds.
    """
    TTestPower = needed("statsmodels.stats.power").TTestPower

    return sd * float(TTestPower().solve_power(nobs=n, alpha=alpha, power=power))


def smallest_margin(n: int, sd: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The margin within which two equal arms are shown to be equivalent with this power.

    Two one-sided tests of arms whose true difference is 0 have power 2 P - 1, where P is the power
    of one of them.
    """
    TTestPower = needed("statsmodels.stats.power").TTestPower

    one_sided = (1.0 + power) / 2.0
    solve = TTestPower().solve_power
    return sd * float(solve(nobs=n, alpha=alpha, power=one_sided, alternative="larger"))
