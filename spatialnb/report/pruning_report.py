"""Accuracy against the fraction of zero weights, and the time and memory that zeros save."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from spatialnb.records.store import published_folder
from spatialnb.report.citation import cited_row, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.formatting import bounds, number, setting, slug, spread
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.style import HEIGHT, canvas, figure, legend, line, look
from spatialnb.report.summary import EMPTY, values
from spatialnb.study import metrics
from spatialnb.study.inference import Interval, mean_interval
from spatialnb.study.results import Results

Point = tuple[float, str, str]
"""A percentage of zeros, with the arm and the metric for the accuracy at this point."""
Lines = Mapping[str, Sequence[Point]]
"""The points of each line of a figure, or row of a table, by name."""

MEASURED = "speed/sparse_latency.json"
"""The output of ``benchmarks/sparse_latency.py``, relative to the book's pages."""
WAYS = ("csr", "band", "narrower")
"""The implementations compared with dense."""


def zeros_figure(results: Results, lines: Lines, what: str) -> Shown:
    """Figure of test accuracy against the fraction of zeros: means with 95 % intervals.

    The horizontal axis is logarithmic in the fraction of weights that remain.

    Parameters
    ----------
    lines : the lines to draw, the first in the baseline's style.
    what : when accuracy was measured, for the caption, such as "right after".
    """
    drawn = {name: _intervals(results, points) for name, points in lines.items()}
    shares = sorted({share for row in drawn.values() for share in row})
    alts, data = [], []
    with look():
        fig, axes = canvas(HEIGHT + 0.16 * len(drawn))
        for place, (name, row) in enumerate(drawn.items()):
            style = line(place - 1, baseline=place == 0)
            left = [100.0 - share for share in row]
            axes.plot(
                left,
                [ours.estimate for ours in row.values()],
                ls=style.dash,
                marker=style.marker,
                color=style.color,
                label=name,
            )
            for x, ours in zip(left, row.values(), strict=True):
                axes.plot([x, x], [ours.low, ours.high], "-", color=style.color, lw=2)
            alts.append(
                f"{name}: "
                + ", ".join(
                    f"{number(ours.estimate, 2)} {bounds(ours, 2)} at {share:g} %"
                    for share, ours in row.items()
                )
                + "."
            )
            data += [
                {"line": name, "zeros": share, "mean": ours.estimate, "low": ours.low}
                | {"high": ours.high, "n": ours.n}
                for share, ours in row.items()
            ]
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xticks([100.0 - share for share in shares], [f"{share:g}" for share in shares])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="weights that are zero (%)", ylabel="test accuracy (%)")
        legend(fig, axes)
    counts = {ours.n for row in drawn.values() for ours in row.values()}
    caption = (
        f"Test accuracy over the share of zeros, {what}: mean and 95 % interval over seeds, "
        f"n = {' or '.join(map(str, sorted(counts)))} at every point. {setting(results)}."
    )
    return figure(
        fig,
        f"Test accuracy over the share of zeros, {what}. {' '.join(alts)}",
        caption,
        name=f"{results.study.id}-zeros-{slug(what)}",
        rows=data,
    )


def zeros_table(results: Results, lines: Lines, what: str) -> Shown:
    """Table of the same: mean ± standard deviation, one row per line, one column per level."""
    rows = {name: _intervals(results, points) for name, points in lines.items()}
    shares = sorted({share for row in rows.values() for share in row})
    data = pd.DataFrame(
        {
            f"{share:g} %": {
                name: Cell(
                    spread(ours.estimate, ours.sd, 2), bounds(ours, 2, empty=""), ours.estimate
                )
                for name, row in rows.items()
                for ours in [row.get(share, EMPTY)]
            }
            for share in shares
        }
    )
    key = f"{results.study.id}-zeros-{slug(what)}"
    data.index = pd.Index(
        [
            cited_row(name, f"{key}-{slug(name)}", _cites(results, lines[name], name))
            for name in rows
        ]
    )
    long = [
        {"line": name, "zeros": share, "mean": ours.estimate, "sd": ours.sd}
        | {"low": ours.low, "high": ours.high, "n": ours.n}
        for name, row in rows.items()
        for share, ours in row.items()
    ]
    title = f"Test accuracy (%) by share of zeros, {what}: {setting(results)}"
    note = "Mean ± standard deviation over seeds; in brackets the 95 % interval of the mean."
    links = downloads(f"{results.study.id}-table-{slug(what)}", pd.DataFrame(long))
    html = f"{as_html(data, title, corner='arm')}\n<p>{note}</p>\n{links}"
    return Shown(html, f"{as_text(data, title)}\n{note}")


def latency_table(path: Path | None = None) -> Shown:
    """Time and stored memory of a forward pass, relative to dense in the same measurement.

    Parameters
    ----------
    path : the output of ``benchmarks/sparse_latency.py --json``; by default the book's.
    """
    path = published_folder().parent / MEASURED if path is None else path
    if not path.is_file():
        text = f"Not measured yet: python benchmarks/sparse_latency.py --json book/{MEASURED}"
        return Shown(f"<p>{escape(text)}</p>", text)
    told = json.loads(path.read_text("utf-8"))
    by_place: dict[tuple[float, int], dict[str, dict[str, Any]]] = {}
    for row in told["rows"]:
        by_place.setdefault((row["zeros"], row["batch"]), {})[row["way"]] = row
    data = pd.DataFrame.from_dict(
        {
            f"{100 * zeros:g} %, batch {batch}": {
                "dense | µs": Cell(f"{ways['dense']['microseconds']:,.0f}"),
                **{f"{way} | time": _ratio(ways[way], "time_ratio") for way in WAYS},
                **{f"{way} | memory": _ratio(ways[way], "stored_ratio") for way in WAYS},
            }
            for (zeros, batch), ways in by_place.items()
        },
        orient="index",
    )
    made = told["provenance"]
    title = "Time and memory of one forward pass on one thread, relative to dense"
    note = (
        f"Below 1: faster, or smaller. Time: median of {told['rounds']} rounds. Memory: weights, "
        f"indices and biases. A band's blocks are counted per layer. {made['processor']}, torch "
        f"{made['versions']['torch']}."
    )
    links = downloads("c4-latency", pd.DataFrame(told["rows"]))
    html = f"{as_html(data, title, corner='zeros')}\n<p>{escape(note)}</p>\n{links}"
    return Shown(html, f"{as_text(data, title)}\n{note}")


def _ratio(row: Mapping[str, Any], name: str) -> Cell:
    blocks = row["blocks"] if name == "time_ratio" else None
    return Cell(f"{row[name]:.2f}", f"{blocks} blocks" if blocks else "", sort=row[name])


def _cites(results: Results, points: Sequence[Point], name: str) -> dict[str, dict[str, Any]]:
    """The parts of a citation of each point, by column."""
    found = _intervals(results, points)
    return {
        f"{share:g} %": number_parts(
            results, metric, [arm], found[share], f"{results.study.id}, {name}, {share:g} % zeros"
        )
        for share, arm, metric in points
        if share in found
    }


def _intervals(results: Results, points: Sequence[Point]) -> dict[float, Interval]:
    """Mean accuracy with its interval, by percentage of zeros; points without runs are omitted."""
    found = {}
    for share, arm, metric in points:
        metrics.metric(metric)
        samples = values(results, arm, metric)
        if samples:
            found[share] = mean_interval(list(samples.values()))
    return {share: ours for share, ours in found.items() if not math.isnan(ours.estimate)}
