"""Tables of benchmark figures, such as times and memory, which are not metrics of runs."""

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
    """Read the figures that ``make bench`` wrote, by the benchmark's file name.

    Raises
    ------
    FileNotFoundError : the benchmark has not been run yet.
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
    """A table of measured figures, with downloads.

    Parameters
    ----------
    rows : figures by name, by the row's name.
    columns : for each figure to show, its header and format, such as
        ``"seconds | processor time :.1f"``; ``:.1e`` writes a power of ten.
    title, stem, corner : the caption, the file name of the downloads, and the header of row names.
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
    return format(value, form).replace("%", " %")


def by(rows: Sequence[Mapping[str, float]], key: str) -> dict[str, Mapping[str, float]]:
    """Rows by the value of one of their figures, as text."""
    return {f"{row[key]:,}": row for row in rows}


def by_form(figures: Sequence[Mapping[str, Any]], work: str) -> dict[str, Mapping[str, float]]:
    """Rows of ``benchmarks/local_layer.py`` for one kind of work, by device, width and batch size.

    Each has the dense layer's milliseconds, the time of the other forms relative to it, and the
    memory that dense and compact layers store, in MB.
    """
    found: dict[str, dict[str, float]] = {}
    for row in (row for measured_there in figures for row in measured_there["rows"]):
        if row["work"] != work:
            continue
        device = "GPU" if row["device"] == "cuda" else "CPU"
        zeros = f"{100.0 * row['zeros']:.0f} % zeros"
        name = f"{device}, {row['units']:,} units, {zeros}, batch {row['batch']:,}"
        into = found.setdefault(name, {})
        into[f"{row['form']}_of_dense"] = row["of_dense"]
        if row["form"] in ("dense", "compact"):
            into[f"{row['form']}_ms"] = row["ms"]
            into[f"{row['form']}_mb"] = row["kilobytes"] / 1e3
    return dict(found)
