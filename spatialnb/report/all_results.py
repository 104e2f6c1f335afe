"""Export all results of the book as one table, and all claims as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spatialnb.records.store import Record
from spatialnb.report.display import Shown
from spatialnb.report.findings import ledger_rows
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study import metrics
from spatialnb.study.claims import Finding
from spatialnb.study.results import Results

COLUMNS = {
    "chapter": "id of the study, as in commands",
    "arm": "name of the arm, as in the chapter's tables",
    "dataset": "edition of the data set",
    "seed": "seed of the run; for a pair of networks, the first seed",
    "second_seed": "for a pair of networks, the second seed; empty for a run",
    "record": "id of the record of the run or pair, which is its file name in book/records",
    "epoch": "epoch, counted from 0; empty for what is measured only at the end",
    "metric": "name of the metric, as in commands and claims, such as accuracy or sparsity:0",
    "unit": "unit of the value; empty if it has none",
    "value": "the value, unrounded",
}
"""The columns of the table, with their descriptions."""
SERIES = {"test_accuracy": "accuracy"}
"""Quantities in records whose metric has another name."""
Parts = Mapping[str, Sequence[Finding]]
"""Judged claims by part: ``I`` for the log, ``II`` for the controls."""
SCHEMA_FILE = "claims.schema.json"


def all_results(chapters: Iterable[Results]) -> pd.DataFrame:
    """All numbers of all chapters in one long table.

    Quantities recorded by epoch have one row per epoch; other metrics of a chapter's tables have
    one row per run. A run that belongs to several chapters is listed once for each. A failed run
    has the epochs before it failed, and ``failed_epoch``.

    Parameters
    ----------
    chapters : results, for example from :func:`spatialnb.studies.recorded`.

    Returns
    -------
    pd.DataFrame : its columns are described in :data:`COLUMNS`.
    """
    rows = [row for results in chapters for row in _rows(results)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(
        {
            **dict.fromkeys(("chapter", "arm", "dataset", "metric", "unit"), "category"),
            **dict.fromkeys(("seed", "second_seed", "epoch"), "Int64"),
        }
    )


def claims_document(parts: Parts) -> dict[str, Any]:
    """All claims with their verdicts and registrations, in the format of :func:`claims_schema`.

    Parameters
    ----------
    parts : the judged claims by part of the book.
    """
    rows = [{"part": part, **row} for part, found in parts.items() for row in ledger_rows(found)]
    return {"$schema": SCHEMA_FILE, "claims": rows}


def claims_schema() -> dict[str, Any]:
    """The JSON Schema of :func:`claims_document`: type and description of every field."""
    number, text, flag, listed = (
        [kind, "null"] for kind in ("number", "string", "boolean", "array")
    )
    fields = {
        "part": ("string", "I: claims of the log; II: claims of the controls."),
        "chapter": ("string", "Id of the study that decides the claim."),
        "key": ("string", "The claim's name, which is unique within its chapter."),
        "claim": ("string", "The claim in words."),
        "rule": ("string", "The rule that decides the claim, in words; D is the estimate."),
        "comparison": ("string", "The compared arms; of several pairs, the least favourable."),
        "unit": ("string", "Unit of reported, estimate, margin and intervals; may be empty."),
        "reported": (number, "The size that the log reports."),
        "estimate": (number, "D: the mean difference over seeds, or the rule's quantity."),
        "low": (number, "Lower bound of the estimate's own 95 % interval."),
        "high": (number, "Upper bound of the estimate's own 95 % interval."),
        "decides_low": (number, "Lower bound of the interval that decides the verdict."),
        "decides_high": (number, "Upper bound of the interval that decides the verdict."),
        "level": (number, "Level of the interval that decides the verdict, after correction."),
        "n": ("integer", "Number of seeds, or of pairs of seeds."),
        "p": (number, "p value of the test that the rule names."),
        "p_corrected": (number, "p value after Holm's correction over the chapter, if corrected."),
        "margin": (number, "The difference that does not matter."),
        "wins": (number, "Fraction of seeds with D above 0."),
        "verdict": ("string", "holds, exceeded, tied, contradicted, undecided or not judged."),
        "first_edition": (text, "The verdict under the first edition's rules."),
        "reason": ("string", "The reason for the verdict."),
        "size": (text, "How the estimate compares: as reported, larger, smaller, other sign."),
        "reported_in_interval": (flag, "Whether the reported size lies in the 95 % interval."),
        "less_than_margin": (flag, "Whether a difference that holds is smaller than the margin."),
        "few_seeds": (flag, "Whether fewer than five seeds or pairs decide."),
        "registration": (
            ["object", "null"],
            "Commits and dates of the claim and its first record.",
        ),
        "log_states": (listed, "Parts of the protocol that the log states."),
        "log_leaves_open": (listed, "Parts that the log leaves open and this book infers."),
        "log_seeds": (["integer", "null"], "Number of seeds in the log."),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claims about spatial weight priors, with verdicts",
        "type": "object",
        "required": ["claims"],
        "properties": {
            "claims": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["part", "chapter", "key", "claim", "rule", "verdict"],
                    "properties": {
                        name: {"type": kind, "description": words}
                        for name, (kind, words) in fields.items()
                    },
                },
            }
        },
    }


def write_all(folder: Path, chapters: Iterable[Results], parts: Parts) -> list[Path]:
    """Write ``results.csv``, ``claims.json`` and its schema; with pyarrow, ``results.parquet`` too.

    Parameters
    ----------
    folder : created if it does not exist; existing files with these names are overwritten.
    chapters, parts : as for :func:`all_results` and :func:`claims_document`.

    Returns
    -------
    The paths of the files.

    Raises
    ------
    OSError : the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = all_results(chapters)
    written = [folder / "results.csv"]
    table.to_csv(written[0], index=False)
    try:
        table.to_parquet(folder / "results.parquet", index=False)
        written.append(folder / "results.parquet")
    except ImportError:
        pass  # pyarrow is not installed; the CSV has the same rows
    for name, content in (
        ("claims.json", claims_document(parts)),
        (SCHEMA_FILE, claims_schema()),
    ):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, "utf-8")
        written.append(folder / name)
    return written


def columns_table() -> Shown:
    """A table that describes the columns of :func:`all_results`."""
    data = pd.DataFrame({"meaning": {name: Cell(text) for name, text in COLUMNS.items()}})
    return Shown(as_html(data, "Columns", corner="column"), as_text(data, "Columns"))


def units_table(chapters: Iterable[Results]) -> Shown:
    """A table of the metrics in :func:`all_results`, with unit and number of rows.

    Parameters
    ----------
    chapters : as for :func:`all_results`.
    """
    table = all_results(chapters)
    counts = table.groupby(["metric", "unit"], observed=True, sort=False).size()
    data = pd.DataFrame.from_dict(
        {
            name: {
                "what it is": Cell(_title(name)),
                "unit": Cell(unit or "–"),
                "rows": Cell(f"{count:,}", sort=count),
            }
            for (name, unit), count in sorted(counts.items())
        },
        orient="index",
    )
    title = f"{len(table):,} rows by metric"
    plain = counts.rename("rows").reset_index().sort_values("metric")
    html = as_html(data, title, corner="metric") + downloads("metrics", plain)
    return Shown(html, as_text(data, title))


def _title(name: str) -> str:
    """The title of a metric."""
    try:
        return metrics.metric(name).title
    except ValueError:
        return name.replace("_", " ")


def _rows(results: Results) -> Iterator[tuple[Any, ...]]:
    for arm, by_seed in results.records.items():
        for seed, record in by_seed.items():
            yield from _of_record(results, arm, record, seed, None)
    for arm, by_pair in results.pairs.items():
        for (seed, second), record in by_pair.items():
            yield from _of_record(results, arm, record, seed, second)


def _of_record(
    results: Results, arm: str, record: Record, seed: int, second: int | None
) -> Iterator[tuple[Any, ...]]:
    place = (results.study.id, arm, results.dataset, seed, second, record.id)
    by_epoch = set()
    for quantity, values in record.outcome.get("epochs", {}).items():
        base, _, part = quantity.partition(":")
        name = SERIES.get(base, base) + (f":{part}" if part else "")
        by_epoch.add(name)
        unit, scale = _unit(name)
        for epoch, value in enumerate(values):
            yield (*place, epoch, name, unit, scale * value)
    if record.failed:
        failed = float(record.outcome["failed_epoch"])
        yield (*place, None, "failed_epoch", "", failed)
        return
    for name in results.study.metrics:
        wanted = metrics.metric(name)
        if name.partition("@")[0] in by_epoch or wanted.kind != record.kind:
            continue
        try:
            value = metrics.measure(record, name)
        except metrics.NotRecordedError:
            continue
        yield (*place, None, name, wanted.unit, value)


def _unit(name: str) -> tuple[str, float]:
    """The unit of a quantity by epoch, and the factor from recorded fractions to that unit."""
    try:
        unit = metrics.metric(name).unit
    except ValueError:
        unit = ""
    return unit, 100.0 if unit == "%" else 1.0
