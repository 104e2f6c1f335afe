"""The records behind a table: every run with its seed, metric, training time and commit."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from spatialnb.records.store import Record
from spatialnb.report.display import details
from spatialnb.report.formatting import number, slug
from spatialnb.report.html_tables import Cell, as_html, downloads
from spatialnb.report.sources import records_anchor
from spatialnb.report.summary import values
from spatialnb.study import metrics
from spatialnb.study.results import Results, SeedPair

RECORDS = "../records"
"""Folder of the published records, relative to a page."""


def behind(results: Results, metric: str) -> str:
    """A collapsed table with one row per run, or pair of runs.

    If the records are published, rows link to them; a record has the whole configuration and all
    numbers. The downloads below the table have full commit hashes.
    """
    wanted = metrics.metric(metric)
    source = results.pairs if wanted.kind == "pair" else results.records
    there = results.published or results.interim
    rows, numbers = [], []
    for arm in results.arms:
        measured = values(results, arm, metric)
        for seed, record in source[arm].items():
            value = measured.get(seed)
            at = record.provenance
            rows.append(
                {
                    "seed": Cell(seed_text(seed), sort=_order(seed)),
                    wanted.title: Cell(number(value, wanted.digits), sort=_sortable(value)),
                    "seconds": Cell(_seconds(at), sort=float(at.get("seconds", "nan"))),
                    "commit": _commit(at),
                    "record": _link(record, wanted.kind) if there else Cell(record.id),
                }
            )
            numbers.append(
                {"arm": arm, "seed": seed_text(seed), metric: value, "failed": record.failed}
                | {"seconds": at.get("seconds"), "commit": at.get("commit"), "record": record.id}
            )
    labels = [results.study.label(arm) for arm in results.arms for _ in source[arm]]
    title = f"{len(rows)} records, each with its configuration, versions and numbers"
    table = as_html(pd.DataFrame(rows, index=labels), title, "behind", corner="arm")
    links = downloads(f"{results.study.id}-{slug(metric)}-records", pd.DataFrame(numbers))
    anchored = f'<div id="{records_anchor(metric)}">{table}</div>'
    return details("Records behind this table", anchored + links)


def _link(record: Record, kind: str) -> Cell:
    link = f'<a href="{RECORDS}/{kind}s/{record.id}.json">{record.id}</a>'
    return Cell(record.id, markup=link)


def _commit(provenance: dict[str, Any]) -> Cell:
    whole = str(provenance.get("commit", "unknown"))
    short = whole[:7] + ("+" if whole.endswith("+") else "")
    return Cell(short, markup=f"<code>{escape(short)}</code>")


def _seconds(provenance: dict[str, Any]) -> str:
    return number(provenance.get("seconds"), 0)


def seed_text(seed: int | SeedPair) -> str:
    """A seed, or both seeds of a pair, as text for a table."""
    return " and ".join(map(str, seed)) if isinstance(seed, tuple) else str(seed)


def _order(seed: int | SeedPair) -> int:
    return seed[0] if isinstance(seed, tuple) else seed


def _sortable(value: float | None) -> float:
    return float("nan") if value is None else value
