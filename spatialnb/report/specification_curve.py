"""Specification curves: one claim in every universe, with the choices of each below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import INK, PALE, SMALL, WIDTH, figure, grid, line, look
from spatialnb.study.multiverse import MARGIN, ClaimAcross, Estimate

DIGITS = 2
"""Decimal places of a difference in points."""
ROW = 0.17
"""Inches of a row of choices."""


def specification_curve(
    claim: ClaimAcross,
    estimates: Sequence[Estimate],
    choices: Mapping[str, Sequence[str]],
    name: str,
) -> Shown:
    """The claim's difference in every universe, sorted, over the choices that make each.

    Parameters
    ----------
    claim : what is claimed of every universe.
    estimates : as :func:`spatialnb.study.multiverse.estimates` gives them.
    choices : by the words for a choice, the words for its values, in the order of the digits of a
        universe's code.
    name : of the files that are offered below.

    Raises
    ------
    ValueError : no universe.
    """
    if not estimates:
        raise ValueError(f"specification_curve: claim {claim.key}: expected at least one universe")
    places = range(len(estimates))
    holds = [claim.holds_in(one.differences) for one in estimates]
    rows = [(choice, place) for choice, values in choices.items() for place in range(len(values))]
    digits = list(choices)
    with look():
        height = 2.3 + ROW * len(rows)
        fig = Figure(figsize=(WIDTH, height), layout="constrained")
        top, below = fig.subplots(2, 1, sharex=True, height_ratios=(2.0, ROW * len(rows)))
        grid(top).axhspan(-MARGIN, MARGIN, color=INK, alpha=0.15, lw=0)
        top.axhline(0.0, color=INK, lw=0.8)
        lows = [min(one.differences) for one in estimates]
        highs = [max(one.differences) for one in estimates]
        top.vlines(places, lows, highs, color=INK, alpha=PALE, lw=0.8)
        for kept, place in ((True, 0), (False, 1)):
            style = line(place)
            at = [i for i in places if holds[i] is kept]
            means = [estimates[i].mean for i in at]
            label = "holds" if kept else "does not hold"
            top.plot(at, means, ls="", marker=style.marker, color=style.color, label=label)
        top.set_ylabel("difference (points)")
        top.legend(loc="upper left", fontsize=SMALL)
        for row, (choice, value) in enumerate(rows):
            digit = digits.index(choice)
            at = [i for i in places if int(estimates[i].code[digit]) == value]
            below.plot(at, [row] * len(at), ls="", marker="|", color=INK, ms=5.0)
        labels = [f"{choice} {choices[choice][value]}" for choice, value in rows]
        below.set_yticks(range(len(rows)), labels, fontsize=SMALL - 2.5)
        below.invert_yaxis()
        below.set_xticks([])
        below.set_xlabel(f"{len(estimates)} universes, sorted by the difference")
    count = f"{sum(holds)} of {len(estimates)}"
    ends = f"{number(estimates[0].mean, DIGITS)} to {number(estimates[-1].mean, DIGITS)}"
    return figure(
        fig,
        f"{claim.words} It holds in {count} universes; differences from {ends} points.",
        f"{claim.arm} minus {claim.against}, test accuracy in points, in every universe: means "
        f"over seeds, lines from the lowest to the highest seed; the band is ±{MARGIN} points. "
        f"The ticks are the choices that make each universe. The claim holds in {count}.",
        name=name,
        rows=[
            {"universe": one.code, "mean": one.mean, "holds": kept, "n": len(one.differences)}
            | {choice: choices[choice][int(one.code[i])] for i, choice in enumerate(digits)}
            for one, kept in zip(estimates, holds, strict=True)
        ],
    )
