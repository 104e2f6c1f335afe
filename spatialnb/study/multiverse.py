"""Multiverse analysis: in how many protocols ("universes") a claim holds.

A universe is one choice of everything that the log leaves open: learning rate, batch size,
initialisation and so on. Source: Steegen et al. 2016, multiverse analysis; Simonsohn et al. 2020,
specification curves.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import NamedTuple

from spatialnb.study.results import Results

HOLDS_FROM = 0.9
"""The fraction of the universes from which on a claim holds in nearly all."""
FAILS_BELOW = 0.5
"""The fraction of the universes below which a claim fails in most."""
HOLDS, DEPENDS, FAILS = "holds in nearly all", "depends on the protocol", "fails in most"
"""The outcomes of a claim over the universes. They are not verdicts: no test is behind them."""
MARGIN = 0.5
"""Two arms are equal in a universe if they differ by at most this many points of accuracy."""


@dataclass(frozen=True, kw_only=True)
class ClaimAcross:
    """A claim about two arms, judged in every universe.

    Parameters
    ----------
    key, words : the claim's name and its sentence.
    arm, against : the arms; a difference is `arm` minus `against`, paired by seed.
    rule : ``beats``: the mean difference is above 0; ``equals``: it is within half a point of 0.

    Raises
    ------
    ValueError : an unknown rule.
    """

    key: str
    words: str
    arm: str
    against: str
    rule: str = "beats"

    def __post_init__(self) -> None:
        if self.rule not in ("beats", "equals"):
            raise ValueError(f"claim {self.key}: unknown rule {self.rule!r}; known: beats, equals")

    def holds_in(self, differences: Sequence[float]) -> bool:
        """Whether the claim holds in a universe; differences in points, one per seed."""
        mean = fmean(differences)
        return mean > 0.0 if self.rule == "beats" else abs(mean) <= MARGIN

    def outcome(self, universes: Sequence[Sequence[float]]) -> str:
        """``holds in nearly all`` from 90 % of the universes on, ``fails in most`` below 50 %.

        Parameters
        ----------
        universes : the differences in each universe, in points, one per seed.

        Raises
        ------
        ValueError : no universe.
        """
        if not universes:
            raise ValueError(f"claim {self.key}: expected at least one universe, got none")
        share = fmean(self.holds_in(one) for one in universes)
        if share >= HOLDS_FROM:
            return HOLDS
        return FAILS if share < FAILS_BELOW else DEPENDS


class Estimate(NamedTuple):
    """A claim in one universe: the mean difference in points, and the difference for every seed."""

    code: str
    mean: float
    differences: tuple[float, ...]


def estimates(
    results: Results, claim: ClaimAcross, codes: Sequence[str], metric: str = "accuracy"
) -> list[Estimate]:
    """The claim's difference in every universe, smallest first: a specification curve.

    A universe with failed runs is judged on the remaining seeds, and left out if none remain.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    claim : the claim; its arms are named without the code.
    codes : codes of the universes.
    metric : a metric in the unit of the claim's margin.
    """
    found = []
    for code in codes:
        ours, theirs = (
            results.samples(f"{code} {arm}", metric) for arm in (claim.arm, claim.against)
        )
        paired = tuple(ours[seed] - theirs[seed] for seed in ours if seed in theirs)
        if paired:
            found.append(Estimate(code, fmean(paired), paired))
    return sorted(found, key=lambda one: one.mean)


class Part(NamedTuple):
    """A claim in some universes: how many, in how many it holds, the mean difference in points."""

    n: int
    holding: int
    mean: float


def part(claim: ClaimAcross, found: Sequence[Estimate], codes: Collection[str]) -> Part:
    """The claim in those of the universes that are named; a mean of none is not a number."""
    chosen = [one for one in found if one.code in codes]
    mean = fmean(one.mean for one in chosen) if chosen else math.nan
    return Part(len(chosen), sum(claim.holds_in(one.differences) for one in chosen), mean)


def by_value(codes: Sequence[str], choices: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The universes that share a value of a choice, by choice and value in words.

    Parameters
    ----------
    codes : the universes.
    choices : by the words for a choice, the words for its values, in the order of a code's digits.
    """
    return {
        f"{choice} {value}": [code for code in codes if int(code[digit]) == place]
        for digit, (choice, values) in enumerate(choices.items())
        for place, value in enumerate(values)
    }


def distance(
    curves: Mapping[str, Sequence[float]], fingerprint: Mapping[str, Sequence[float | None]]
) -> float:
    r"""Root mean square difference between curves and a fingerprint, in points.

    Parameters
    ----------
    curves : accuracies (%) of every arm in the fingerprint, at the same epochs.
    fingerprint : the accuracies to compare with, by arm; None for missing numbers.

    Raises
    ------
    ValueError : an arm is missing, or has a different number of epochs.
    """
    squares = []
    for arm, theirs in fingerprint.items():
        ours = curves.get(arm, ())
        if len(ours) != len(theirs):
            raise ValueError(f"fingerprint: arm {arm!r}: expected {len(theirs)} numbers")
        squares += [(a - b) ** 2 for a, b in zip(ours, theirs, strict=True) if b is not None]
    return math.sqrt(fmean(squares))


def nearest(
    results: Results,
    codes: Sequence[str],
    fingerprint: Mapping[str, Sequence[float | None]],
    epochs: Sequence[int],
) -> list[tuple[str, float]]:
    """Universes by their distance to a fingerprint, the nearest first.

    Universes with a failed run are left out, since the log would not print such a run.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    codes : codes of the universes.
    fingerprint : accuracies (%) of every arm at these epochs; None for missing numbers.
    epochs : counted from 0.
    """
    found = []
    for code in codes:
        arms = {arm: f"{code} {arm}" for arm in fingerprint}
        if any(results.failed(name) for name in arms.values()):
            continue
        found.append((code, distance(curves(results, code, fingerprint, epochs), fingerprint)))
    return sorted(found, key=lambda one: one[1])


def curves(
    results: Results, code: str, arms: Iterable[str], epochs: Sequence[int]
) -> dict[str, list[float]]:
    """Mean accuracies (%) of a universe's arms over seeds, at these epochs, counted from 0."""
    return {arm: [fmean(_at(results, code, arm, epoch)) for epoch in epochs] for arm in arms}


def expected_distance(
    results: Results,
    code: str,
    fingerprint: Mapping[str, Sequence[float | None]],
    epochs: Sequence[int],
) -> float:
    """The distance between two means over as many seeds, if both came from this universe.

    The root mean square, from the variance over seeds at every number of the fingerprint. It is
    how near the universe could be expected to come if it were the fingerprint's own protocol.
    """
    samples = [
        _at(results, code, arm, epoch)
        for arm, numbers in fingerprint.items()
        for epoch, number in zip(epochs, numbers, strict=True)
        if number is not None
    ]
    return math.sqrt(fmean(2.0 * variance(one) / len(one) for one in samples))


def same_order(
    results: Results, code: str, fingerprint: Mapping[str, Sequence[float | None]], epoch: int
) -> bool:
    """Whether the universe's arms have the fingerprint's order in its last numbers, at the epoch.

    An arm whose last number is None is left out.
    """
    last = {arm: row[-1] for arm, row in fingerprint.items() if row[-1] is not None}
    ours = [fmean(_at(results, code, arm, epoch)) for arm in sorted(last, key=last.__getitem__)]
    return ours == sorted(ours)


def _at(results: Results, code: str, arm: str, epoch: int) -> list[float]:
    return list(results.samples(f"{code} {arm}", f"accuracy@{epoch}").values())
