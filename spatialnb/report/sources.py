"""What a citation of a number names besides the number: records, and the commits that made them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spatialnb.report.formatting import slug
from spatialnb.study import metrics
from spatialnb.study.results import Results

NAMED = 3
"""Records that a citation names; of the others it says how many there are."""


def sources(results: Results, arms: Iterable[str], metric: str) -> dict[str, Any]:
    """The records behind arms in a metric, as JSON data.

    ``records`` are the ids of the first, ``kind`` the folder that they stand in, ``count`` how many
    there are, and ``commits`` those that the runs were made at.
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
    """The id, on a chapter's page, of the records behind its table of a metric."""
    return f"records-{slug(metric)}"
