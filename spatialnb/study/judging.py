"""Judge claims: from claims and samples to findings, under settings that the reader can choose.

Every verdict comes from this module: those of chapters and of the ledger, those under another
margin, level, correction or set of seeds, and those of the first edition of the rules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spatialnb.study import inference, populations
from spatialnb.study.claims import EDITIONS, Claim, Finding, Verdict
from spatialnb.study.inference import Interval, Sample
from spatialnb.study.populations import Population
from spatialnb.study.rules import decide, rule_text, worst

Samples = Callable[[str, str], Mapping[Any, float]]
"""From an arm and a metric to the values by seed, or by pair of seeds."""
Hits = Callable[[str, Any], NDArray[np.bool_]]
"""From an arm and a seed to whether the network is right on each test image. Raises NoAnswersError
if its answers are not recorded."""
Correction = Literal["none", "chapter", "ledger", "fdr"]
"""Correction of "beats" comparisons for multiple testing: none, Holm's method within a chapter or
over the ledger, or Benjamini and Hochberg's over the ledger."""


class NoAnswersError(ValueError):
    """The answers needed for a population of images are not recorded."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How claims are judged. The defaults are those of the published verdicts.

    Parameters
    ----------
    edition : edition of the rules, 1 or 2.
    margin : replaces the margin of every claim in points of accuracy; other claims keep theirs.
    alpha : significance level of every test; intervals have level 1 - alpha.
    correction : for the "beats" comparisons, see :data:`Correction`.
    seeds : use only these seeds; None for all recorded seeds.
    population : what verdicts generalise to. ``images`` and ``both`` need recorded answers, see
        :mod:`spatialnb.study.populations`; claims without answers are not judged.

    Raises
    ------
    ValueError : a setting is out of range; the message says what is allowed.
    """

    edition: int = 2
    margin: float | None = None
    alpha: float = 0.05
    correction: Correction = "chapter"
    seeds: tuple[int, ...] | None = None
    population: Population = "seeds"

    def __post_init__(self) -> None:
        if self.edition not in EDITIONS:
            raise ValueError(f"edition: expected 1 or 2, got {self.edition!r}")
        if self.margin is not None and not 0.0 < self.margin < math.inf:
            raise ValueError(f"margin: expected a number of points > 0, got {self.margin:g}")
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha: expected a level between 0 and 1, got {self.alpha:g}")
        if self.correction not in get_args(Correction):
            known = ", ".join(get_args(Correction))
            raise ValueError(f"correction: expected one of {known}, got {self.correction!r}")
        if self.population not in get_args(Population):
            known = ", ".join(get_args(Population))
            raise ValueError(f"population: expected one of {known}, got {self.population!r}")
        if self.seeds is not None and len(set(self.seeds)) < 2:
            raise ValueError("seeds: a test needs at least two")

    def of(self, claim: Claim) -> Claim:
        """The claim with the margin from these settings."""
        if self.margin is None or claim.unit != "points":
            return claim
        return dataclasses.replace(claim, margin=self.margin)

    def has(self, key: Any) -> bool:
        """Whether a seed, or both seeds of a pair, are among the selected seeds."""
        if self.seeds is None:
            return True
        return all(seed in self.seeds for seed in (key if isinstance(key, tuple) else (key,)))


PUBLISHED = Settings()
"""Settings of the published verdicts."""
FIRST_EDITION = Settings(edition=1)
"""Settings of the first edition's verdicts."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The samples of D in one comparison, by seed, and the seeds that are left out.

    `by_image` returns D in points for seeds (rows) and test images (columns).
    """

    claim: Claim
    name: str
    values: Mapping[Any, float]
    left_out: tuple[str, ...]
    by_image: Callable[[Sequence[Any]], NDArray[np.float64]] | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A claim with its comparisons: everything needed to judge it under any settings."""

    claim: Claim
    comparisons: tuple[Comparison, ...]


def case(claim: Claim, samples: Samples, hits: Hits | None = None) -> Case:
    """Combine a claim with the samples of its comparisons.

    Parameters
    ----------
    claim : a claim of a chapter.
    samples : from an arm and a metric to the values by seed, or by pair of seeds.
    hits : correctness on each test image, for judging a population of images, if available.
    """
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
            for key in keys:
                if means[1][key] == 0.0:
                    raise ValueError(
                        f"claim {claim.chapter}/{claim.key}: cannot take a percentage of 0, the "
                        f"value of {' and '.join(against)} at {key}; leave out as_share"
                    )
            values = [100.0 * means[0][key] / means[1][key] for key in keys]
        else:
            base = means[1] if against else dict.fromkeys(keys, claim.than)
            values = inference.differences(means[0], base)
        name = " and ".join(arms) + (f" against {' and '.join(against)}" if against else "")
        parts.append(
            Comparison(
                claim=claim,
                name=name,
                values=dict(zip(keys, values, strict=True)),
                left_out=tuple(sorted(left_out, key=lambda key: (len(key), key))),
                by_image=hits and partial(_by_image, claim, arms, against, hits),
            )
        )
    return Case(claim=claim, comparisons=tuple(parts))


def _by_image(
    claim: Claim,
    arms: Sequence[str],
    against: Sequence[str],
    hits: Hits,
    seeds: Sequence[Any],
) -> NDArray[np.float64]:
    """D in points, (seeds, images); NoAnswersError says why it is not available."""
    if claim.metrics != ("accuracy",) or claim.as_share:
        raise NoAnswersError(
            "answers are recorded only after the last epoch, so only accuracy and its differences "
            "can be judged over images"
        )

    def mean(of: Sequence[str]) -> NDArray[np.float64]:
        table = np.array([[hits(arm, seed) for seed in seeds] for arm in of])
        return np.asarray(table.mean(axis=0), dtype=np.float64)

    return 100.0 * (mean(arms) - mean(against)) if against else 100.0 * mean(arms) - claim.than


def judge(
    claims: Sequence[Claim], samples: Samples, settings: Settings = PUBLISHED
) -> list[Finding]:
    """Judge one chapter's claims, and return their findings in order.

    Seeds that lack a value in an arm are left out of that comparison, and the finding's reason
    names them. Claims that the edition does not have are left out.

    Parameters
    ----------
    claims : all claims of a chapter.
    samples : from an arm and a metric to the values by seed, or by pair of seeds.
    settings : by default those of the published verdicts.
    """
    return judge_cases([[case(claim, samples) for claim in claims]], settings)[0]


def judge_cases(
    chapters: Sequence[Sequence[Case]], settings: Settings = PUBLISHED
) -> list[list[Finding]]:
    """Judge cases by chapter, and return their findings in order.

    The family for the correction is all comparisons of "beats" claims, per chapter or overall.
    """
    findings = _judge_edition(chapters, settings)
    if settings.edition == 1:
        return findings
    earlier = {
        (found.claim.chapter, found.claim.key): found.verdict
        for chapter in _judge_edition(chapters, dataclasses.replace(settings, edition=1))
        for found in chapter
    }
    return [
        [
            dataclasses.replace(found, first=earlier.get((found.claim.chapter, found.claim.key)))
            for found in chapter
        ]
        for chapter in findings
    ]


def verdicts_only(
    chapters: Sequence[Sequence[Case]], settings: Settings = PUBLISHED
) -> list[list[Finding]]:
    """Like :func:`judge_cases`, but faster: no corrected p values, no first-edition verdicts."""
    return _judge_edition(chapters, settings, corrected_p=False)


def _judge_edition(
    chapters: Sequence[Sequence[Case]], settings: Settings, corrected_p: bool = True
) -> list[list[Finding]]:
    asked = [
        [one for one in chapter if one.claim.since <= settings.edition] for chapter in chapters
    ]
    corrected = _levels(asked, settings, corrected_p)
    return [
        [
            _together(
                [
                    _find(part, settings, *corrected.get(id(part), (None, 1.0 - settings.alpha)))
                    for part in one.comparisons
                ]
            )
            for one in chapter
        ]
        for chapter in asked
    ]


def verdict_at_margins(
    one: Case, chapter: Sequence[Case], margins: Sequence[float], settings: Settings = PUBLISHED
) -> list[Verdict]:
    """The verdict of a claim at each of these margins, in the claim's unit.

    `chapter` holds all claims of its chapter, because the correction depends on them; it does not
    depend on the margin.
    """
    corrected = _levels([chapter], settings, corrected_p=False)
    verdicts = []
    for margin in margins:
        claim = dataclasses.replace(one.claim, margin=margin)
        found = [
            _find(
                dataclasses.replace(part, claim=claim),
                settings,
                *corrected.get(id(part), (None, 1.0 - settings.alpha)),
            )
            for part in one.comparisons
        ]
        verdicts.append(_together(found).verdict)
    return verdicts


def _levels(
    chapters: Sequence[Sequence[Case]], settings: Settings, corrected_p: bool
) -> dict[int, tuple[float | None, float]]:
    """Corrected p value and confidence level of every corrected comparison, by object id."""
    families = [_family(chapter, settings) for chapter in chapters]
    if settings.correction in ("ledger", "fdr"):
        families = [[part for family in families for part in family]]
    corrected: dict[int, tuple[float | None, float]] = {}
    for family in families:
        p_values = [inference.t_test(values) for _, values in family]
        adjusted = _adjusted(p_values, settings) if corrected_p else [None] * len(family)
        levels = _confidence(p_values, settings)
        for (part, _), p, level in zip(family, adjusted, levels, strict=True):
            corrected[id(part)] = (p, level)
    return corrected


def _adjusted(p_values: Sequence[float], settings: Settings) -> Sequence[float]:
    if settings.correction == "none":
        return p_values
    return (inference.fdr if settings.correction == "fdr" else inference.holm)(p_values)


def _confidence(p_values: Sequence[float], settings: Settings) -> Sequence[float]:
    """Confidence levels whose intervals exclude 0 exactly if the corrected test rejects."""
    if settings.correction == "none":
        return [1.0 - settings.alpha] * len(p_values)
    levels = inference.fdr_levels if settings.correction == "fdr" else inference.holm_levels
    return levels(p_values, settings.alpha)


def _family(chapter: Sequence[Case], settings: Settings) -> list[tuple[Comparison, Sample]]:
    found = []
    for one in chapter:
        for part in one.comparisons if one.claim.rule == "beats" else ():
            with contextlib.suppress(NoAnswersError):
                if len(_values(part, settings)) > 1:
                    found.append((part, _sample(part, settings)))
    return found


def _values(part: Comparison, settings: Settings) -> list[float]:
    return [value for key, value in part.values.items() if settings.has(key)]


def _sample(part: Comparison, settings: Settings) -> Sample:
    """The input of the tests for this population. NoAnswersError if needed answers are missing."""
    if settings.population == "seeds":
        return _values(part, settings)
    if part.by_image is None:
        raise NoAnswersError("answers are not recorded")
    points = part.by_image([key for key in part.values if settings.has(key)])
    return populations.estimate(points, settings.population)


def not_judged(
    claim: Claim,
    reason: str,
    interval: Interval | None = None,
    settings: Settings = PUBLISHED,
) -> Finding:
    """A finding for a claim that cannot be judged on these runs."""
    nothing = Interval(math.nan, math.nan, math.nan, 0, math.nan)
    return Finding(
        claim=claim,
        interval=interval or nothing,
        verdict="not judged",
        reason=reason,
        edition=settings.edition,
        rule=rule_text(claim, settings.edition, settings.alpha, settings.correction),
        first="not judged" if claim.since == 1 else None,
    )


def _find(part: Comparison, settings: Settings, p_corrected: float | None, level: float) -> Finding:
    claim, values = settings.of(part.claim), _values(part, settings)
    rule = rule_text(claim, settings.edition, settings.alpha, settings.correction)
    if len(values) < 2:
        interval = inference.mean_interval(values) if values else None
        reason = f"{len(values)} sample(s), and a test needs two"
        return not_judged(claim, reason, interval, settings)
    try:
        sample = _sample(part, settings)
    except NoAnswersError as error:
        return not_judged(claim, str(error), settings=settings)
    interval, single = inference.mean_interval(sample, level), inference.mean_interval(sample)
    verdict, p, reason = decide(claim, sample, interval, settings.alpha, settings.edition)
    notes = [reason]
    if len(claim.comparisons) > 1:
        notes.append(f"of {len(claim.comparisons)} comparisons the worst is {part.name}")
    if part.left_out:
        notes.append(f"left out: {', '.join(part.left_out)}")
    inside = interval if settings.edition == 1 else single
    return Finding(
        claim=claim,
        interval=interval,
        verdict=verdict,
        level=level,
        p=p,
        p_corrected=p_corrected,
        reported_in_interval=_contains(inside, claim.reported),
        reason="; ".join(notes),
        single=single,
        small=settings.edition > 1
        and claim.rule == "beats"
        and verdict == "holds"
        and interval.high < claim.margin,
        equivalent=claim.rule == "beats"
        and inference.equivalence(sample, claim.margin) < settings.alpha,
        edition=settings.edition,
        rule=rule,
        comparison=part.name,
        wins=inference.share_above(values) if claim.is_difference else None,
    )


def _together(findings: Sequence[Finding]) -> Finding:
    """Combine a claim's comparisons: the least favourable finding, or a tie for the best."""
    shown = worst(findings)
    if shown.edition == 1 or not shown.claim.best_of or shown.verdict == "not judged":
        return shown
    runner_up = min(findings, key=lambda found: found.interval.estimate)
    if any(found.interval.high < 0.0 for found in findings) or not runner_up.equivalent:
        return shown
    reason = f"the runner-up is equivalent within ±{shown.claim.size}: {runner_up.comparison}"
    return dataclasses.replace(runner_up, verdict="tied", reason=reason, small=False)


def _contains(interval: Interval, reported: float | None) -> bool | None:
    """Whether the interval overlaps the rounding range of the printed number: 64.65 to 64.75."""
    if reported is None:
        return None
    exponent = Decimal(str(reported)).as_tuple().exponent
    half = 0.5 * 10.0 ** min(int(exponent), 0)
    return interval.low <= reported + half and reported - half <= interval.high
