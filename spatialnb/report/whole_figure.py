"""Figure of the gain of each arm against its learning rate, under several optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import INK, SMALL, canvas, figure, legend, line, look
from spatialnb.report.summary import summarise
from spatialnb.report.tuning import ACCURACY
from spatialnb.study.results import Results

REPORTED = 5.0
"""The log's gain of its best arm over its baseline, in points."""
LOWEST = -9.0
"""Gains below this, in points, at learning rates that are far too high, are not drawn."""


class Sweep(NamedTuple):
    """An arm at many learning rates: the results, its arms in the study, and whether to join them.

    Points that are not joined are draws that also differ in weight decay.
    """

    results: Results
    arms: Iterable[str]
    joined: bool = True


def whole_figure(sweeps: Mapping[str, Sweep], baseline: str) -> Shown:
    """Mean validation accuracy minus that of a baseline, against the learning rate.

    Parameters
    ----------
    sweeps : the sweeps by name, in the order of the legend.
    baseline : the arm of the first sweep to which gains are relative.
    """
    first = next(iter(sweeps.values())).results
    means = {
        name: {row.arm: row.ours.estimate for row in summarise(sweep.results, ACCURACY)}
        for name, sweep in sweeps.items()
    }
    start = means[next(iter(sweeps))][baseline]
    said, data, lower = [], [], 0
    with look():
        fig, axes = canvas(height=4.2)
        axes.axhline(REPORTED, color=INK, ls=(0, (2, 2)), lw=1.0)
        across = axes.get_yaxis_transform()
        axes.text(0.01, REPORTED, "the log's gain", va="bottom", fontsize=SMALL, transform=across)
        for place, (name, sweep) in enumerate(sweeps.items()):
            style = line(place - 1, baseline=place == 0)
            points = sorted(
                (sweep.results.study.arms[arm].learning_rate, means[name][arm] - start, arm)
                for arm in sweep.arms
                if not math.isnan(means[name][arm])
            )
            shown = [(rate, gain) for rate, gain, _ in points if gain >= LOWEST]
            axes.plot(
                *zip(*shown, strict=True),
                ls=style.dash if sweep.joined else "none",
                color=style.color,
                marker=style.marker,
                label=name,
            )
            lower += len(points) - len(shown)
            rate, gain, _ = max(points, key=lambda point: point[1])
            said.append(f"{name}: {number(gain, 1, signed=True)} points at {rate:g}.")
            data += [
                {"arm": name, "of": arm, "learning_rate": rate, "gain": gain}
                for rate, gain, arm in points
            ]
        axes.set_xscale("log", base=2)
        ticks = [0.00025 * 4**step for step in range(5)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xlabel("learning rate")
        axes.set_ylabel("gain in accuracy (points)")
        axes.set_ylim(LOWEST, None)
        legend(fig, axes)
    return figure(
        fig,
        "Gain over the baseline against the learning rate. The highest of each: " + " ".join(said),
        f"Accuracy on held-out images, above that of the baseline under Adam at "
        f"{first.study.arms[baseline].learning_rate:g} ({number(start, 2)} %), over the learning "
        f"rate: means of {len(first.seeds)} seeds. Points without a line are draws that differ in "
        f"weight decay, too. Not shown, because they lie lower: {lower}.",
        name="the-whole",
        rows=data,
    )
