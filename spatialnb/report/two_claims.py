"""Two claims in every universe, one against the other, with what the log reports of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import INK, canvas, figure, legend, line, look
from spatialnb.study.multiverse import ClaimAcross, estimates
from spatialnb.study.results import Results

DIGITS = 2
"""Decimal places of a difference in points."""
FARTHEST = 12.0
"""Points: a universe with a larger difference is not drawn, and the caption counts it."""


class Point(NamedTuple):
    """A universe: its differences in the first and in the second claim, in points."""

    code: str
    x: float
    y: float


def points(
    results: Results, claims: tuple[ClaimAcross, ClaimAcross], codes: Sequence[str]
) -> list[Point]:
    """The universes in which both claims have a difference, in the order of `codes`."""
    first, second = (
        {one.code: one.mean for one in estimates(results, claim, codes)} for claim in claims
    )
    return [
        Point(code, first[code], second[code]) for code in codes if code in first and code in second
    ]


def two_claims_numbers(
    results: Results,
    claims: tuple[ClaimAcross, ClaimAcross],
    codes: Sequence[str],
    reported: tuple[float, float],
) -> dict[str, str]:
    """For the prose: ``<study>-both``, in how many universes both differences are above 0.

    Also ``-second-half``, in how many the second is at least half the reported, and
    ``-both-half``, in how many of these the first is above 0.
    """
    found, study = points(results, claims, codes), results.study.id
    half = [one for one in found if one.y >= reported[1] / 2]
    return {
        f"{study}-both": str(sum(one.x > 0.0 and one.y > 0.0 for one in found)),
        f"{study}-second-half": str(len(half)),
        f"{study}-both-half": str(sum(one.x > 0.0 for one in half)),
    }


def two_claims(
    results: Results,
    claims: tuple[ClaimAcross, ClaimAcross],
    parts: Mapping[str, Sequence[str]],
    reported: tuple[float, float],
) -> Shown:
    """A point for each universe, its look by the part that it is in, and the log's as a star.

    Parameters
    ----------
    results : of a study whose arms are called ``"<code> <arm>"``.
    claims : across and up.
    parts : the codes of universes by the name of their part.
    reported : the log's two differences, in points.
    """
    across, up = (f"{claim.arm} − {claim.against}" for claim in claims)
    found = {name: points(results, claims, codes) for name, codes in parts.items()}
    every = [(name, one) for name, some in found.items() for one in some]
    near = [both for both in every if max(abs(both[1].x), abs(both[1].y)) <= FARTHEST]
    far = len(every) - len(near)
    with look():
        fig, axes = canvas(4.2)
        axes.axhline(0.0, color=INK, lw=0.8)
        axes.axvline(0.0, color=INK, lw=0.8)
        for place, name in enumerate(found):
            style, some = line(place), [one for part, one in near if part == name]
            at = [one.x for one in some], [one.y for one in some]
            axes.plot(*at, ls="", marker=style.marker, color=style.color, label=name)
        axes.plot(*reported, ls="", marker="*", ms=13.0, color=INK, label="the log")
        axes.set_xlabel(f"{across} (points)")
        axes.set_ylabel(f"{up} (points)")
        legend(fig, axes)
    log = " and ".join(number(value, DIGITS, True) for value in reported)
    caption = "Test accuracy in points, a mark for each universe, means over seeds."
    if far:
        caption += f" {far} universes with a difference beyond ±{FARTHEST:g} points are not drawn."
    return figure(
        fig,
        f"{across} across and {up} up, in every universe. The log has {log}.",
        caption,
        name=f"{results.study.id}-two-claims",
        rows=[
            {"universe": one.code, "part": name, across: one.x, up: one.y} for name, one in every
        ],
    )
