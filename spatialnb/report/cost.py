"""Training time of the chapters' runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from spatialnb.records.store import Record
from spatialnb.report.display import Shown
from spatialnb.report.findings import chapter_link
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study.results import Results

TOGETHER = "together, each run once"


def hours(records: Iterable[Record]) -> float:
    """Hours of runs, on one core or on a share of a GPU each, from their records."""
    return sum(float(record.provenance.get("seconds", 0.0)) for record in records) / 3600.0


def cost(chapters: Sequence[Results], pages: Mapping[str, str] | None = None) -> Shown:
    """A table of the number of runs and their hours, by chapter and in total.

    A run that belongs to several chapters counts in each of them, but once in the total. The time
    for measuring pairs of networks is not included. `pages` are the chapters' pages by id, for
    links.
    """
    together = _distinct(chapters)
    rows = [(found.study.id, found.study.title, records_of(found)) for found in chapters]
    names = [
        Cell(f"{chapter} {title}", markup=chapter_link(chapter, pages or {}) + escape(title))
        for chapter, title, _ in rows
    ]
    data = pd.DataFrame(
        [_cells(records) for *_, records in rows] + [_cells(together)], index=[*names, TOGETHER]
    )
    long = [
        {"chapter": chapter, "runs": len(records), "hours": hours(records)}
        for chapter, _, records in [*rows, (TOGETHER, "", together)]
    ]
    title = "Runs, and hours of one core or of a GPU's share"
    html = f"{as_html(data, title, corner='chapter')}\n{downloads('cost', pd.DataFrame(long))}"
    return Shown(html, as_text(data, title))


def cost_numbers(chapters: Sequence[Results]) -> dict[str, str]:
    """Values to glue on the total: ``cost-runs`` and ``cost-hours``."""
    together = _distinct(chapters)
    return {"cost-runs": f"{len(together):,}", "cost-hours": f"{hours(together):.0f}"}


def records_of(results: Results) -> list[Record]:
    """The records of all arms and seeds."""
    return [record for by_seed in results.records.values() for record in by_seed.values()]


def _distinct(chapters: Sequence[Results]) -> list[Record]:
    return list({record.id: record for found in chapters for record in records_of(found)}.values())


def _cells(records: Sequence[Record]) -> dict[str, Cell]:
    spent = hours(records)
    return {
        "runs": Cell(f"{len(records):,}", sort=len(records)),
        "hours": Cell(f"{spent:.1f}", sort=spent),
    }
