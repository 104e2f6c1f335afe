"""Figure of the loss or accuracy on the straight line between two networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialnb.report.display import Shown
from spatialnb.report.figures import choose, columns
from spatialnb.report.formatting import capital, number, setting
from spatialnb.report.style import SMALL, WIDTH, figure, grid, legend, line, look
from spatialnb.study.inference import mean_interval
from spatialnb.study.results import Results

WAYS = {
    "straight": "original order",
    "renumbered": "permuted at random",
    "matched": "aligned",
    "matched-repaired": "aligned and repaired",
}
"""Lines to draw, by their names in a pair's record, with their labels."""

QUANTITIES = {"loss": ("test loss", 1.0, 2), "accuracy": ("test accuracy (%)", 100.0, 1)}
"""Quantities along a line: axis label, factor to the axis's unit, and decimals."""


def lines(results: Results, quantity: str = "loss", arms: Sequence[str] | None = None) -> Shown:
    """Loss or accuracy on the straight line between two networks: mean and 95 % band over pairs.

    Parameters
    ----------
    quantity : ``loss`` or ``accuracy``.
    arms : the arms to show, one panel each; by default all.
    """
    axis, scale, digits = QUANTITIES[quantity]
    chosen = [arm for arm in choose(results, arms) if results.pairs[arm]]
    below = math.ceil(len(chosen) / 2)
    alts, rows = [], []
    with look():
        fig = Figure(figsize=(WIDTH, 0.9 + 1.6 * below), layout="constrained")
        panels = fig.subplots(below, 2, sharex=True, sharey=True, squeeze=False).flatten()
        for arm, axes in zip(chosen, panels, strict=False):
            label = results.study.label(arm)
            grid(axes).set_title(label, fontsize=SMALL)
            points = _points(results, arm, quantity, scale)
            for place, (way, name) in enumerate(WAYS.items()):
                _draw(axes, points[points["line"] == way], place, name)
            alts.append(f"{label}: {_said(points, digits)}.")
            rows += points.assign(arm=arm).to_dict("records")
        for empty in panels[len(chosen) :]:
            empty.remove()
            panels[len(chosen) - 2].tick_params(labelbottom=True)
        for axes in panels[max(0, len(chosen) - 2) : len(chosen)]:
            axes.set_xlabel("interpolation weight")
        fig.supylabel(axis, fontsize="medium")
        legend(fig, panels[0])
    title = axis.removesuffix(" (%)")
    counts = sorted({len(results.pairs[arm]) for arm in chosen})
    caption = (
        f"{capital(title)} on the straight line from one network (0) to another (1): mean and "
        f"95 % band over pairs of seeds, n = {' or '.join(map(str, counts))}. {setting(results)}."
    )
    alt = f"{capital(title)} halfway between two networks. {' '.join(alts)}"
    return figure(fig, alt, caption, name=f"{results.study.id}-lines-{quantity}", rows=rows)


def _points(results: Results, arm: str, quantity: str, scale: float) -> pd.DataFrame:
    """Mean and interval over the pairs of an arm, at every point of every line."""
    found = [record.outcome for record in results.pairs[arm].values()]
    rows = []
    for way in WAYS:
        series = zip(*(outcome["lines"][way][quantity] for outcome in found), strict=True)
        for alpha, values in zip(found[0]["alphas"], series, strict=True):
            interval = mean_interval([scale * value for value in values])
            rows.append({"line": way, "alpha": alpha, **columns(interval)})
    return pd.DataFrame(rows)


def _draw(axes: Axes, points: pd.DataFrame, place: int, name: str) -> None:
    style, across = line(place), points["alpha"]
    axes.plot(
        across,
        points["mean"],
        color=style.color,
        ls=style.dash,
        marker=style.marker,
        markevery=(place, 4),
        label=name,
    )
    axes.fill_between(across, points["low"], points["high"], color=style.color, alpha=0.25, lw=0)


def _said(points: pd.DataFrame, digits: int) -> str:
    """A panel in words: the values halfway along the lines, and at their ends."""
    halfway = points[points["alpha"] == 0.5].set_index("line")["mean"]
    ends = points[(points["line"] == "straight") & points["alpha"].isin([0.0, 1.0])]["mean"].mean()
    ways = ", ".join(f"{name} {number(halfway[way], digits)}" for way, name in WAYS.items())
    return f"{ways}; {number(ends, digits)} at the ends"
