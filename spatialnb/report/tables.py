"""Tables: a study's arms beside the report's, and its claims with their verdicts."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import pandas as pd

from spatialnb import metrics
from spatialnb.report.shown import Shown, details, download
from spatialnb.report.summary import EMPTY, Row, summarise
from spatialnb.report.words import (
    NOTHING,
    bounds,
    estimate,
    failures,
    number,
    setting,
    slug,
    spread,
)
from spatialnb.study import Results, Study

RECORDS = "../records"
"""Where a page finds the folder of published records."""

LINE = "\u2028"
"""A line break inside a cell."""

PAIRS = "n of differences"
"""Shown where a failed run makes it less than n."""


def frame(results: Results, metric: str = "accuracy") -> pd.DataFrame:
    """A study's table as plain numbers, one row an arm: what the CSV beside the table holds."""
    rows = [
        {
            "chapter": results.study.id,
            "arm": row.arm,
            "metric": metric,
            "dataset": results.dataset,
            "epochs": results.epochs,
            "reported": row.reported,
            "reported_sd": row.reported_sd,
            "mean": row.ours.estimate,
            "sd": row.ours.sd,
            "low": row.ours.low,
            "high": row.ours.high,
            "n": row.ours.n,
            "failed": row.failed,
            "difference": row.difference and row.difference.estimate,
            "difference_low": row.difference and row.difference.low,
            "difference_high": row.difference and row.difference.high,
            "difference_n": row.difference and row.difference.n,
            "reported_difference": row.reported_difference,
        }
        for row in summarise(results, metric)
    ]
    return pd.DataFrame(rows)


def table(results: Results, metric: str = "accuracy") -> Shown:
    """A study's arms: reported, ours ± sd, 95 % interval, n, paired difference to the baseline.

    Nothing stands as reported in a chapter that the report does not have.
    Under it: what it was made from, the numbers as CSV, and the records.
    """
    study, wanted = results.study, metrics.metric(metric)
    base = study.label(study.baseline)
    data = pd.DataFrame(
        [_cells(row, wanted.digits, base) for row in summarise(results, metric)],
        index=[study.label(arm) for arm in results.arms],
    )
    if (data["n"] == data[PAIRS])[data[PAIRS] != NOTHING].all():
        data = data.drop(columns=PAIRS)
    if not study.reported:  # a chapter that the report does not have
        data = data.drop(columns=["reported", f"minus {base}, reported"])
    unit = f" ({wanted.unit})" if wanted.unit else ""
    title = f"{wanted.title[0].upper()}{wanted.title[1:]}{unit}: {setting(results)}"
    of = ("pairs of seeds", "pair") if wanted.kind == "pair" else ("seeds", "seed")
    notes = [
        f"Ours: mean ± standard deviation over n {of[0]}, with the 95 % interval of the mean. "
        f"Differences are paired by {of[1]}.",
        *failures(results),
    ]
    csv = download(f"{study.id}-{slug(metric)}.csv", frame(results, metric).to_csv(index=False))
    html = "\n".join(
        [
            as_html(data, title),
            *(f"<p>{escape(note)}</p>" for note in notes),
            f"<p>{csv}</p>",
            details("Records behind this table", _records(results, wanted.kind)),
        ]
    )
    return Shown(html, f"{title}\n{data.to_string()}\n" + "\n".join(notes))


def table_rows(study: Study, results: Results | None) -> list[dict[str, Any]]:
    """Every cell that the report prints, with ours beside it, as JSON data.

    Without results, ours are null and n is 0.
    """
    ours = {
        (row.arm, name): row.ours
        for name in dict.fromkeys(cell.metric for cell in study.reported)
        for row in (summarise(results, name) if results else ())
    }
    cells = [(cell, ours.get((cell.arm, cell.metric), EMPTY)) for cell in study.reported]
    return [
        {
            "chapter": study.id,
            "arm": cell.arm,
            "metric": cell.metric,
            "reported": cell.value,
            "reported_sd": cell.sd,
            "mean": json_number(interval.estimate),
            "sd": json_number(interval.sd),
            "low": json_number(interval.low),
            "high": json_number(interval.high),
            "n": interval.n,
        }
        for cell, interval in cells
    ]


def _cells(row: Row, digits: int, base: str) -> dict[str, str]:
    difference = row.difference
    ours = spread(row.ours.estimate, row.ours.sd, digits)
    return {
        "reported": spread(row.reported, row.reported_sd, digits),
        "ours": "failed" if row.failed and not row.ours.n else ours,
        "n": str(row.ours.n),
        f"minus {base}, reported": number(row.reported_difference, digits, True),
        f"minus {base}, ours": NOTHING if difference is None else estimate(difference, digits),
        PAIRS: NOTHING if difference is None else str(difference.n),
        "95 % interval": bounds(row.ours, digits),
    }


def as_html(data: pd.DataFrame, title: str, classes: str = "") -> str:
    """A table that scrolls inside itself where the page is narrow; the theme styles "dataframe"."""
    html = str(data.to_html(classes=classes, border=0, escape=True))
    html = html.replace(LINE, "<br>").replace(
        "<thead>", f"<caption>{escape(title)}</caption>\n  <thead>", 1
    )
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(title)}">{html}</div>'


def _records(results: Results, kind: str) -> str:
    """Every record by arm and seed; links where the records are the published ones."""
    folder = f"{RECORDS}/{kind}s"
    source = results.pairs if kind == "pair" else results.records
    items = []
    for arm in results.arms:
        links = [
            f"{escape(_seed(seed))}: "
            + (
                f'<a href="{folder}/{record.id}.json">{record.id}</a>'
                if results.published or results.interim
                else record.id
            )
            for seed, record in source[arm].items()
        ]
        items.append(f"<li>{escape(results.study.label(arm))}, by seed: {', '.join(links)}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _seed(seed: Any) -> str:
    return " and ".join(map(str, seed)) if isinstance(seed, tuple) else str(seed)


def json_number(value: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if math.isnan(value) else value
