"""Say which engine and device trained the runs of a table, unless it was the loop on a CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from spatialnb.records.provenance import engine_of
from spatialnb.records.store import Record
from spatialnb.study.results import Results

USUAL = "the loop on a processor"
"""The engine and device of the published runs."""


def made_by(records: Iterable[Record]) -> str:
    """A sentence with counts of runs by engine and device; empty if the loop on a CPU trained all.

    Parameters
    ----------
    records : records of runs.
    """
    counts = Counter(engine_of(record.provenance) for record in records if record.kind == "run")
    if set(counts) <= {USUAL}:
        return ""
    parts = [f"{count} by {made}" for made, count in sorted(counts.items())]
    return f"Trained: {', '.join(parts)}. Another engine or device rounds differently."


def made_by_results(*found: Results | None) -> str:
    """The same for the runs of studies, those of borrowed arms left out."""
    every = {
        record.id: record
        for results in found
        if results is not None
        for arm in results.arms
        for record in results.records[arm].values()
    }
    return made_by(every.values())
