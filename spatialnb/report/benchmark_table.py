"""Measured figures that are no metric of a run, as tables and words of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from spatialnb.records.store import published_folder
from spatialnb.report.display import Shown
from spatialnb.report.formatting import scientific
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads


def benchmark(name: str) -> dict[str, Any]:
    """The figures that ``make bench`` wrote, by the name of the benchmark's file.

    Raises
    ------
    FileNotFoundError : they have not been measured yet.
    """
    path = published_folder().parent / "speed" / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: `make bench` measures it")
    figures: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return figures


def measured(
    rows: Mapping[str, Mapping[str, float]],
    columns: Mapping[str, str],
    title: str,
    stem: str,
    corner: str = "",
) -> Shown:
    """A table of measured figures, to download too.

    Parameters
    ----------
    rows : by the name of the row, the figures by theirs.
    columns : the figures that are shown, each with its head and how it is written, such as
        ``"seconds | processor time :.1f"``; ``:.1e`` writes a power of ten.
    title, stem, corner : the caption, the name of the files to download, and what rows are.
    """
    texts = {}
    for key, column in columns.items():
        head, _, form = column.rpartition(" :")
        texts[head] = [Cell(_written(row[key], form), sort=row[key]) for row in rows.values()]
    data = pd.DataFrame(texts, index=list(rows))
    plain = pd.DataFrame([{corner or "row": name, **row} for name, row in rows.items()])
    html = as_html(data, title, corner=corner) + downloads(stem, plain)
    return Shown(html=html, text=as_text(data, title))


def _written(value: float, form: str) -> str:
    if form.endswith("e"):
        return scientific(value, int(form.strip(".e") or 0))
    return format(value, form)


def by(rows: Sequence[Mapping[str, float]], key: str) -> dict[str, Mapping[str, float]]:
    """Rows by the text of one of their figures."""
    return {f"{row[key]:,}": row for row in rows}
