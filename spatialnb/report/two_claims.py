"""Two claims in every universe, plotted against each other, with the log's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import INK, canvas, figure, legend, line, look
from spatialnb.study.multiverse import ClaimAcross, estimates
from spatialnb.study.results import Results

DIGITS = 2
"""Decimals of a difference in points."""
FARTHEST = 12.0
"""Largest difference in points that is drawn; the caption counts universes beyond it."""


class Point(NamedTuple):
    """A universe with its differences for the first and the second claim, in points."""

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
    """Values to glue: counts of universes by the differences for two claims.

    ``<study>-both``: both differences are above 0. ``-second-half``: the second is at least half
    the reported one; ``-both-half``: in addition, the first is above 0.
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
    """Figure with one point per universe, in a style for its part, and the log's as a star.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    claims : the claims on the horizontal and the vertical axis.
    parts : the codes of the universes, by the name of their part.
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
