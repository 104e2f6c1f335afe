"""Specification curves: a claim's difference in every universe, above each universe's choices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import INK, PALE, SMALL, WIDTH, figure, grid, line, look
from spatialnb.study.multiverse import MARGIN, ClaimAcross, Estimate

DIGITS = 2
"""Decimals of a difference in points."""
ROW = 0.2
"""Height of a row of choices, in inches."""
GAP = 0.5
"""Space between two choices, in rows."""
TICK = 0.35
"""Half the height of a tick, in rows."""
FARTHEST = 12.0
"""Largest difference in points that is drawn; larger ones are triangles at the edge."""


def specification_curve(
    claim: ClaimAcross,
    estimates: Sequence[Estimate],
    choices: Mapping[str, Sequence[str]],
    name: str,
) -> Shown:
    """The claim's difference in every universe, sorted, above the choices of each universe.

    Parameters
    ----------
    claim : a claim that is judged in every universe.
    estimates : the output of :func:`spatialnb.study.multiverse.estimates`.
    choices : by the words for a choice, the words for its values, in the order of the digits of a
        universe's code.
    name : the file name of the downloads.

    Raises
    ------
    ValueError : no universe.
    """
    if not estimates:
        raise ValueError(f"specification_curve: claim {claim.key}: expected at least one universe")
    places = range(len(estimates))
    holds = [claim.holds_in(one.differences) for one in estimates]
    rows = [
        (digit, place, f"{choice} {value}")
        for digit, (choice, values) in enumerate(choices.items())
        for place, value in enumerate(values)
    ]
    levels = [row + GAP * digit for row, (digit, _, _) in enumerate(rows)]
    beyond = [i for i in places if abs(estimates[i].mean) > FARTHEST]
    with look():
        height = 2.6 + ROW * levels[-1]
        fig = Figure(figsize=(WIDTH, height), layout="constrained")
        top, below = fig.subplots(2, 1, sharex=True, height_ratios=(2.2, ROW * levels[-1]))
        grid(top).axhspan(-MARGIN, MARGIN, color=INK, alpha=0.15, lw=0)
        top.axhline(0.0, color=INK, lw=0.8)
        lows = [_inside(min(one.differences)) for one in estimates]
        highs = [_inside(max(one.differences)) for one in estimates]
        top.plot(*_strokes(places, lows, highs), color=INK, alpha=PALE, lw=0.8)
        for kept, place in ((True, 0), (False, 1)):
            style = line(place)
            at = [i for i in places if holds[i] is kept and i not in beyond]
            means = [estimates[i].mean for i in at]
            label = "holds" if kept else "does not hold"
            top.plot(at, means, ls="", marker=style.marker, color=style.color, label=label)
        for i in beyond:
            style = line(0 if holds[i] else 1)
            marker = "^" if estimates[i].mean > 0.0 else "v"
            top.plot(i, _inside(estimates[i].mean), ls="", marker=marker, color=style.color)
        top.set_ylabel("difference (points)")
        top.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=SMALL)
        for level, (digit, value, _) in zip(levels, rows, strict=True):
            at = [i for i in places if int(estimates[i].code[digit]) == value]
            ends = ([level - TICK] * len(at), [level + TICK] * len(at))
            below.plot(*_strokes(at, *ends), color=INK, lw=1.0)
        below.set_yticks(levels, [label for _, _, label in rows], fontsize=SMALL)
        below.invert_yaxis()
        below.set_xticks([])
        below.set_xlabel(f"{len(estimates)} universes, sorted by the difference")
    count = f"{sum(holds)} of {len(estimates)}"
    extent = f"{number(estimates[0].mean, DIGITS)} to {number(estimates[-1].mean, DIGITS)}"
    edge = f" Triangles: beyond ±{FARTHEST:g} points." if beyond else ""
    return figure(
        fig,
        f"{claim.words} It holds in {count} universes; differences from {extent} points.",
        f"{claim.arm} minus {claim.against}, test accuracy in points, in every universe: means "
        f"over seeds, lines from the lowest to the highest seed; the band is ±{MARGIN} points."
        f"{edge} The ticks are the choices that make each universe. The claim holds in {count}.",
        name=name,
        rows=[
            {"universe": one.code, "mean": one.mean, "holds": kept, "n": len(one.differences)}
            | {choice: choices[choice][int(one.code[i])] for i, choice in enumerate(choices)}
            for one, kept in zip(estimates, holds, strict=True)
        ],
    )


def _inside(difference: float) -> float:
    """The difference, clipped to the largest that is drawn."""
    return min(max(difference, -FARTHEST), FARTHEST)


def _strokes(
    places: Sequence[int], lows: Sequence[float], highs: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Vertical strokes as one line with gaps, which is smaller on a page than many marks."""
    gap = math.nan
    across = [value for place in places for value in (place, place, gap)]
    along = [value for ends in zip(lows, highs, strict=True) for value in (*ends, gap)]
    return across, along
