"""The results table of a chapter: its arms, with the values that the log reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from spatialnb.report.citation import attribute, cited, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.engines import made_by_results
from spatialnb.report.formatting import (
    NOTHING,
    bounds,
    estimate,
    failures,
    number,
    setting,
    slug,
    spread,
)
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.record_table import behind, seed_text
from spatialnb.report.sources import records_anchor
from spatialnb.report.sparklines import sparks
from spatialnb.report.summary import EMPTY, Row, grouped, log_count, summarise, values
from spatialnb.study import metrics
from spatialnb.study.results import Results
from spatialnb.study.study import Study

_EXPECTED = (
    "Below a reported number: where 95 % of means of {}, as many as the log has, would lie "
    "under our protocol."
)
SPARKS = " By epoch: the mean{}, all on one scale; sorted by the last epoch."
ALIKE = " / "
"""Separator of the names of arms that share a row."""
PAIRS = "n of differences"
"""Column that is shown if failed runs make this number smaller than n."""


def frame(results: Results, metric: str = "accuracy") -> pd.DataFrame:
    """A study's table as plain numbers, one row per arm; the content of its CSV."""
    rows = [
        {
            "chapter": results.study.id,
            "arm": row.arm,
            "metric": metric,
            "dataset": results.dataset,
            "epochs": results.epochs,
            "reported": row.reported,
            "reported_sd": row.reported_sd,
            "expected_low": row.expected and row.expected[0],
            "expected_high": row.expected and row.expected[1],
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
            "expected_difference_low": row.expected_difference and row.expected_difference[0],
            "expected_difference_high": row.expected_difference and row.expected_difference[1],
        }
        for row in summarise(results, metric)
    ]
    return pd.DataFrame(rows)


def table(results: Results, metric: str = "accuracy") -> Shown:
    """A table of a study's arms: reported value, our mean, n, and difference to the baseline.

    Our mean has a standard deviation and a 95 % interval, and the difference is paired by seed. If
    the metric is recorded by epoch, a sparkline shows its mean. Arms whose values are equal in
    every seed share a row; arms without the metric are left out. Below the table are the setting,
    downloads as CSV and JSON, and the records.
    """
    study, wanted = results.study, metrics.metric(metric)
    base = study.label(study.baseline)
    column = "difference" if study.compared_with else f"minus {base}"
    small = sparks(results, metric)
    groups = grouped(results, metric)
    rows = [group[0] for group in groups]
    data = pd.DataFrame(
        [_cells(results.study, row, wanted.digits, column, small) for row in rows],
        index=[_named(results, metric, group) for group in groups],
    )
    if all(row.difference is None or row.difference.n == row.ours.n for row in rows):
        data = data.drop(columns=PAIRS)
    if all(row.reported is None for row in rows):
        data = data.drop(columns="reported")
    if all(row.reported_difference is None for row in rows):
        data = data.drop(columns=f"{column} | reported")
    compared = any(row.difference is not None and row.difference.n for row in rows)
    if not compared:  # the baseline does not have the metric
        data = data.drop(columns=[f"{column} | ours", PAIRS], errors="ignore")
    unit = f" ({wanted.unit})" if wanted.unit else ""
    title = f"{wanted.title[0].upper()}{wanted.title[1:]}{unit}: {setting(results)}"
    of = ("pairs of seeds", "pair by pair") if wanted.kind == "pair" else ("seeds", "seed by seed")
    dotted = "that arm" if study.compared_with else "the baseline"
    count = log_count(study.id, metric)
    few = f"{count} {of[0] if count > 1 else of[0].replace('pairs', 'pair')}"
    notes = [
        f"Ours: mean ± standard deviation over n {of[0]}; in brackets the 95 % interval of the mean"
        + (f", or of the difference from {_base(study)}, taken {of[1]}." if compared else ".")
        + (SPARKS.format(f", {dotted} dotted" if compared else "") if small else ""),
        *_grouped_notes(results, groups),
        *([_EXPECTED.format(few)] if any(row.expected for row in rows) else []),
        *failures(results),
        *([made] if (made := made_by_results(results)) else []),
    ]
    html = "\n".join(
        [
            as_html(data, title, corner="arm"),
            *(f"<p>{escape(note)}</p>" for note in notes),
            downloads(f"{study.id}-{slug(metric)}", frame(results, metric)),
            _own_run(results, metric),
            behind(results, metric),
        ]
    )
    return Shown(html, as_text(data, title) + "\n" + "\n".join(notes))


def table_rows(study: Study, results: Results | None, whole: bool = False) -> list[dict[str, Any]]:
    """All cells of the log's table with our values, as JSON data.

    Without results, our values are null and n is 0.

    Parameters
    ----------
    whole : include every arm and metric of the chapter, even if the log prints no value.
    """
    printed = {(cell.arm, cell.metric): cell for cell in study.reported}
    every = [(arm, metric) for metric in study.metrics for arm in study.arms] if whole else []
    places = dict.fromkeys([*printed, *every])
    ours = {
        (row.arm, name): row.ours
        for name in dict.fromkeys(metric for _, metric in places)
        for row in (summarise(results, name) if results else ())
    }
    cells = [(place, printed.get(place), ours.get(place, EMPTY)) for place in places]
    return [
        {
            "chapter": study.id,
            "arm": arm,
            "metric": metric,
            "reported": cell and cell.value,
            "reported_sd": cell and cell.sd,
            "mean": json_number(interval.estimate),
            "sd": json_number(interval.sd),
            "low": json_number(interval.low),
            "high": json_number(interval.high),
            "n": interval.n,
        }
        for (arm, metric), cell, interval in cells
    ]


def _base(study: Study) -> str:
    return (
        "the arm named there"
        if study.compared_with
        else f"the baseline ({study.label(study.baseline)})"
    )


def _cells(
    study: Study, row: Row, digits: int, column: str, small: Mapping[str, Cell]
) -> dict[str, Cell]:
    ours, difference = row.ours, row.difference or EMPTY
    mean = spread(ours.estimate, ours.sd, digits)
    named = study.compared_with and difference.n
    against = f" from {study.label(study.base_of(row.arm))}" if named else ""
    if row.failed and not ours.n:
        mean = "failed"
    cells = {
        "reported": Cell(
            spread(row.reported, row.reported_sd, digits),
            below=_expected(row.reported, row.expected, digits),
            sort=_sort(row.reported),
        ),
        "ours": Cell(mean, below=bounds(ours, digits, empty=""), sort=ours.estimate),
        "n": Cell(str(ours.n)),
        "by epoch": small.get(row.arm, Cell(NOTHING)),
        f"{column} | reported": Cell(
            number(row.reported_difference, digits, True),
            below=_expected(row.reported_difference, row.expected_difference, digits, True),
            sort=_sort(row.reported_difference),
        ),
        f"{column} | ours": Cell(
            number(difference.estimate, digits, True),
            below=bounds(difference, digits, True, empty="") + against,
            sort=difference.estimate,
        ),
        PAIRS: Cell(str(difference.n) if row.difference else NOTHING),
    }
    return cells if small else {name: cell for name, cell in cells.items() if name != "by epoch"}


RULE = (
    "Same: two one-sided tests (5 % each) put the difference of the means within the margin. "
    "Different: its 95 % interval excludes 0, and it exceeds the margin. Otherwise the runs are "
    "too few to tell. Runs of the same seeds are compared by seed, others by Welch's test. "
    "Identical: every value is the same."
)
"""Explanation of how a re-run is compared with the published runs."""


def runs_frame(results: Results) -> pd.DataFrame:
    """All values for a comparison with another run, one row per run (or pair) and metric.

    ``settings`` lists settings that differ from those of the published runs, besides data and
    epochs. `own_run.js` reads this table.
    """
    names = [name for name in results.study.metrics if metrics.metric(name).margin is not None]
    rows = [
        {
            "chapter": results.study.id,
            "metric": name,
            "dataset": results.dataset,
            "epochs": results.epochs,
            "settings": other_settings(results),
            "arm": arm,
            "seed": seed_text(key),
            "value": value,
        }
        for name in names
        for arm in results.arms
        for key, value in values(results, arm, name).items()
    ]
    columns = ["chapter", "metric", "dataset", "epochs", "settings", "arm", "seed", "value"]
    return pd.DataFrame(rows, columns=columns)


def other_settings(results: Results) -> str:
    """Settings that differ from those of the published runs, in words; empty if none do."""
    usual = results.study.parameters
    return "; ".join(
        f"{name} {value}, not {usual[name]}"
        for name, value in results.settings.items()
        if value != usual[name]
    )


def _own_run(results: Results, metric: str) -> str:
    """The element in which `own_run.js` compares a reader's own run; empty if not published."""
    wanted = metrics.metric(metric)
    if not results.published or wanted.margin is None:
        return ""
    about = {
        "chapter": results.study.id,
        "metric": metric,
        "title": wanted.title,
        "unit": wanted.unit,
        "digits": wanted.digits,
        "margin": wanted.margin,
        "dataset": results.dataset,
        "epochs": results.epochs,
        "arms": {results.study.label(arm): arm for arm in results.arms},
        "rule": RULE,
    }
    return f"<div data-own-run={attribute(about)}></div>"


def _named(results: Results, metric: str, group: Sequence[Row]) -> Cell:
    """The name of a row, with the data from which `cite.js` builds a citation."""
    study, wanted = results.study, metrics.metric(metric)
    label = ALIKE.join(study.label(row.arm) for row in group)
    row = group[0]
    if not row.ours.n:
        return Cell(label)
    arms = [one.arm for one in group]
    key = f"{study.id}-{slug(metric)}-{slug(row.arm)}"
    parts = {
        **number_parts(results, metric, arms, row.ours, f"{study.id}, {label}"),
        "also": _difference_text(row, study.label(study.base_of(row.arm)), wanted.digits),
        "list": f"#{records_anchor(metric)}",
    }
    return cited(label, key, parts)


def _difference_text(row: Row, base: str, digits: int) -> str:
    if row.difference is None or not row.difference.n:
        return ""
    said = estimate(row.difference, digits)
    return f"Difference from {base}, paired: {said}, n = {row.difference.n}"


def _grouped_notes(results: Results, groups: Sequence[Sequence[Row]]) -> list[str]:
    """Sentences about arms that share a row or are left out."""
    notes = []
    if any(len(group) > 1 for group in groups):
        notes.append("Arms whose values are the same in every seed share a row.")
    shown = {row.arm for group in groups for row in group}
    left_out = [results.study.label(arm) for arm in results.arms if arm not in shown]
    if left_out:
        quoted = ", ".join(f"“{name}”" for name in left_out)
        notes.append(f"Not in the table, because this was not measured for them: {quoted}.")
    return notes


def _expected(
    reported: float | None,
    expected: tuple[float, float] | None,
    digits: int,
    signed: bool = False,
) -> str:
    """The expected range of a mean over the log's seeds, and whether the reported one is in it."""
    if expected is None or reported is None:
        return ""
    low, high = expected
    where = "in" if low <= reported <= high else "not in"
    return f"{where} {number(low, digits, signed)} to {number(high, digits, signed)}"


def _sort(value: float | None) -> float:
    return math.nan if value is None else value


def json_number(value: float) -> float | None:
    """A number for JSON, with None for NaN."""
    return None if math.isnan(value) else value
