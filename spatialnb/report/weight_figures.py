"""Figures of learned weights: pictures of effective weights, and their magnitude by distance.

They are based on summaries of one run per arm, with seed 0, and of few arms; see
:mod:`spatialnb.analysis.weight_summary`. They illustrate networks and decide no claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialnb.analysis import weight_summary
from spatialnb.datasets import edition
from spatialnb.records.store import Record
from spatialnb.registry import unknown
from spatialnb.report.display import Shown
from spatialnb.report.formatting import number, slug
from spatialnb.report.record_table import RECORDS
from spatialnb.report.style import (
    SMALL,
    WIDTH,
    figure,
    grid,
    legend,
    look,
    looks,
    matrix,
)
from spatialnb.study.results import Results

SEED = 0
"""The seed whose networks are shown."""
FIRST = "0"
"""The first layer's name."""
QUARTER = weight_summary.BINS // 4
"""Near connections span the first quarter of distances, far ones the last quarter."""

Layer = Mapping[str, Any]
"""The summary of a layer, from :func:`spatialnb.analysis.weight_summary.summarise`."""


def weights_figure(results: Results, arms: Sequence[str] | None = None) -> Shown:
    """Pictures of the first layer's effective weights, and mean magnitude by distance.

    Parameters
    ----------
    arms : the arms to show; by default all. Arms without recorded weights are left out.
    """
    found = _recorded(results, arms)
    if not found:
        text = "No weights are recorded of the runs that are shown here."
        return Shown(f"<p>{text}</p>", text)
    layers = {arm: record.outcome[FIRST] for arm, record in found.items()}
    labels = {arm: results.study.label(arm) for arm in found}
    with look():
        fig = Figure(figsize=(WIDTH, 1.15 * len(found) + 3.6), layout="constrained")
        upper, lower = fig.subfigures(
            2, 1, squeeze=False, height_ratios=[1.15 * len(found) + 0.7, 2.9]
        ).flatten()
        panels = upper.subplots(len(found), 1, squeeze=False, sharex=True).flatten()
        # Saturate the brightest 1 %; otherwise a few large weights would leave the rest dark.
        most = max(float(np.percentile(layer["picture"], 99)) for layer in layers.values())
        for axes, (arm, layer) in zip(panels, layers.items(), strict=True):
            image = matrix(axes, layer["picture"], labels[arm], most)
            axes.set_aspect("auto")
        _name_inputs(panels, results.dataset, layers)
        panels[len(found) // 2].set_ylabel("hidden units")
        bar = upper.colorbar(
            image, ax=list(panels), location="bottom", aspect=40, extend="max", pad=0.02
        )
        bar.set_label("mean size of effective weights")
        bar.outline.set_visible(False)
        left, right = lower.subplots(1, 2, sharey=True)
        for arm, layer in layers.items():
            _by_distance(left, layer, "learned", results, arm, labels[arm])
            _by_distance(right, layer, "effective", results, arm, labels[arm])
        left.set_title("learned weights", fontsize=SMALL)
        right.set_title("effective weights", fontsize=SMALL)
        left.set(xlabel="distance", ylabel="mean size", ylim=(0.0, None))
        right.set(xlabel="distance")
        legend(lower, left)
    out, into = next(iter(layers.values()))["shape"]
    caption = (
        f"The first layer of one network per arm (seed {SEED}; n = 1, so no spread is shown). "
        f"Pictures: the mean size of effective weights in blocks, {out} hidden units by {into} "
        "inputs, both in the order of their positions. Curves: mean size by distance, of the "
        f"learned weights and of what the kernel leaves of them. {results.dataset}, "
        f"{results.epochs} epochs."
    )
    alts = [f"{labels[arm]}: {_said(layer)}." for arm, layer in layers.items()]
    alt = f"Mean size of weights of the first layer, near and far. {' '.join(alts)}"
    rows = [
        {
            "arm": arm,
            "distance": (place + 0.5) / weight_summary.BINS,
            **{key: layer[key][place] for key in ("connections", "learned", "effective")},
        }
        for arm, layer in layers.items()
        for place in range(weight_summary.BINS)
    ]
    name = f"{results.study.id}-weights"
    return figure(fig, alt, caption, name=name, rows=rows, more=_links(results, found))


def weights_numbers(results: Results, arms: Sequence[str] | None = None) -> dict[str, str]:
    """Values to glue on the weights of the first layers.

    Keys start with chapter and arm, such as ``v05-linear-weights``: ``-learned`` and ``-effective``
    are the mean magnitudes over all connections. Followed by ``-near`` and ``-far``, they are means
    over the first and the last quarter of distances; by ``-ratio``, far divided by near. Arms
    without recorded weights have dashes.
    """
    found = _recorded(results, arms)
    said: dict[str, str] = {}
    for arm in results.arms if arms is None else arms:
        layer = found[arm].outcome[FIRST] if arm in found else None
        for which in ("learned", "effective"):
            key = f"{results.study.id}-{slug(arm)}-weights-{which}"
            whole, near, far = _parts(layer, which) if layer else [math.nan] * 3
            said |= {
                key: number(whole, 3),
                f"{key}-near": number(near, 3),
                f"{key}-far": number(far, 3),
                f"{key}-ratio": number(far / near if near else math.nan, 2),
            }
    return said


def _recorded(results: Results, arms: Sequence[str] | None) -> dict[str, Record]:
    for arm in arms or ():
        if arm not in results.arms:
            raise ValueError(unknown("arm", arm, dict.fromkeys(results.arms)))
    found = {}
    for arm in results.arms if arms is None else arms:
        run = results.records[arm].get(SEED)
        record = None if run is None else weight_summary.weights_of(run.run)
        if record is not None:
            found[arm] = record
    return found


def _parts(layer: Layer, which: str) -> list[float]:
    """Mean magnitude over all connections, over the near ones, and over the far ones."""
    sizes, counts = np.array(layer[which]), np.array(layer["connections"])
    parts = (slice(None), slice(QUARTER), slice(-QUARTER, None))
    return [float(np.average(sizes[part], weights=counts[part])) for part in parts]


def _said(layer: Layer) -> str:
    parts = []
    for which in ("learned", "effective"):
        _, near, far = _parts(layer, which)
        parts.append(
            f"{which} {number(near, 3)} near (distance under 1/4), {number(far, 3)} far (over 3/4)"
        )
    return "; ".join(parts)


def _by_distance(
    axes: Axes, layer: Layer, which: str, results: Results, arm: str, label: str
) -> None:
    style = looks(results.arms, results.study.baseline)[arm]
    there = [place for place in range(weight_summary.BINS) if layer["connections"][place]]
    grid(axes).plot(
        [(place + 0.5) / weight_summary.BINS for place in there],
        [layer[which][place] for place in there],
        color=style.color,
        ls=style.dash,
        marker=style.marker,
        markevery=8,
        label=label,
    )


def _name_inputs(panels: Sequence[Axes], dataset: str, layers: Mapping[str, Layer]) -> None:
    """Label the columns: the colour channels of an image's pixels, one after another."""
    shape = edition(dataset).shape
    columns = min(len(layer["picture"][0]) for layer in layers.values())
    if shape[0] != 3:
        panels[-1].set_xlabel("inputs")
        return
    third = columns / 3
    for axes in panels:
        axes.tick_params(length=0)
        for edge in (third, 2 * third):
            axes.axvline(edge - 0.5, color="white", lw=1.2)
    panels[-1].set_xticks(
        [third * (place + 0.5) - 0.5 for place in range(3)],
        ["red pixels", "green pixels", "blue pixels"],
    )


def _links(results: Results, found: Mapping[str, Record]) -> str:
    """The records behind the figure, with links if they are published."""
    items = []
    for arm, record in found.items():
        name = record.id
        if results.published or results.interim:
            name = f'<a href="{RECORDS}/weights/{record.id}.json">{record.id}</a>'
        items.append(f"{escape(results.study.label(arm))}: {name}")
    return f"<p>Records: {', '.join(items)}</p>"
