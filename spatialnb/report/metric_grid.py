"""A table with several metrics of the same arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spatialnb.report.citation import cited_row, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.formatting import plain, setting, slug, spread
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.summary import summarise
from spatialnb.study import metrics
from spatialnb.study.results import Results


def side_by_side(results: Results, names: Sequence[str]) -> Shown:
    """A table of metrics by arms: mean ± standard deviation, n, and reported values.

    It is meant for metrics that belong together, such as a measurement and its null values, or
    accuracy by epoch. If n is the same wherever there is a value, it is given once, in the caption.
    """
    study = results.study
    cells, numbers = {}, []
    cites: dict[tuple[str, str], dict[str, Any]] = {}
    summaries = {name: summarise(results, name) for name in names}
    counts = {row.ours.n for rows in summaries.values() for row in rows if row.ours.n}
    for name, rows in summaries.items():
        wanted = metrics.metric(name)
        unit = f" ({wanted.unit})" if wanted.unit else ""
        for row in rows:
            if row.ours.n:
                label = study.label(row.arm)
                about = number_parts(results, name, [row.arm], row.ours, f"{study.id}, {label}")
                cites[f"{wanted.title}{unit}", label] = about
        cells[f"{wanted.title}{unit}"] = {
            study.label(row.arm): Cell(
                spread(row.ours.estimate, row.ours.sd, wanted.digits)
                + (f" (n = {row.ours.n})" if row.ours.n and len(counts) > 1 else ""),
                below="" if row.reported is None else f"reported {plain(row.reported)}",
                sort=row.ours.estimate,
            )
            for row in rows
        }
        numbers += [
            {"metric": name, "arm": row.arm, "mean": row.ours.estimate, "sd": row.ours.sd}
            | {"low": row.ours.low, "high": row.ours.high, "n": row.ours.n}
            for row in rows
        ]
    data = pd.DataFrame.from_dict(cells, orient="index")
    if len(data.columns) > len(data):
        data = data.T  # a long table is easier to read than a wide one
        cites = {(arm, metric): parts for (metric, arm), parts in cites.items()}
    key = f"{study.id}-beside-{slug(names[0])}-{slug(names[-1])}"
    data.index = pd.Index(
        [
            cited_row(
                row,
                f"{key}-{slug(row)}",
                {column: parts for (at, column), parts in cites.items() if at == row},
            )
            for row in data.index
        ]
    )
    shared = f", n = {counts.pop()}" if len(counts) == 1 else ""
    title = f"Mean ± standard deviation{shared}: {setting(results)}"
    stem = f"{study.id}-side-by-side-{slug(names[0].partition('@')[0])}"
    links = downloads(stem, pd.DataFrame(numbers))
    return Shown(f"{as_html(data, title)}\n{links}", as_text(data, title))
