"""The records and commits that are named in the citation of a number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spatialnb.report.formatting import slug
from spatialnb.study import metrics
from spatialnb.study.results import Results

NAMED = 3
"""Up to this many records are named in a citation; the others are counted."""


def sources(results: Results, arms: Iterable[str], metric: str) -> dict[str, Any]:
    """The records behind a metric of these arms, as JSON data.

    ``records`` are the ids of the first ones, ``kind`` is their folder, ``count`` the number of
    records, and ``commits`` are the commits with which they were made.
    """
    kind = metrics.metric(metric).kind
    by_arm = results.pairs if kind == "pair" else results.records
    records = {record.id: record for arm in arms for record in by_arm.get(arm, {}).values()}
    commits = {str(one.provenance.get("commit", "")).rstrip("+")[:7] for one in records.values()}
    return {
        "records": list(records)[:NAMED],
        "kind": f"{kind}s",
        "count": len(records),
        "commits": sorted(commits - {""}),
    }


def records_anchor(metric: str) -> str:
    """The HTML id of the table of records behind a metric, on a chapter's page."""
    return f"records-{slug(metric)}"
