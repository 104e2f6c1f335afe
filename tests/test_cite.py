"""What the page says where a number is cited, from the parts that the package gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from py_mini_racer import mini_racer

from spatialnb import report, studies
from spatialnb.report.summary import summarise

SCRIPT = Path(__file__).parents[1] / "book" / "_static" / "cite.js"
BOOK = {
    "author": "A & B",
    "title": "A book",
    "year": "2026",
    "version": "0.1.0",
    "address": "https://example.org/v05.html#row",
}


def cited(parts: dict[str, object], form: str) -> str:
    with mini_racer() as engine:
        engine.eval(SCRIPT.read_text("utf-8"))
        found = engine.eval(f"cite.{form}({json.dumps(parts)}, {json.dumps(BOOK)})")
    return str(found)


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, object]]:
    """The citations of v5's accuracies, by arm."""
    results = studies.get("v05").recorded()
    assert results is not None
    soup = BeautifulSoup(report.table(results).html, "html.parser")
    found = [
        {**json.loads(str(one["data-cite"])), "id": one["id"]} for one in soup.select("[data-cite]")
    ]
    assert len({one["id"] for one in found}) == len(found) > 3
    assert all(soup.select(one["list"]) for one in found)
    return {one["arms"][0]: one for one in found}


def test_a_row_cites_its_value_interval_seeds_arms_records_and_commit(
    rows: dict[str, dict[str, object]],
) -> None:
    results = studies.get("v05").recorded()
    assert results is not None
    row = next(one for one in summarise(results, "accuracy") if one.arm == "linear")
    text = cited(rows["linear"], "text")
    assert f"v05, linear, test accuracy: {row.ours.estimate:.2f} ± {row.ours.sd:.2f} %" in text
    assert f"[{row.ours.low:.2f}, {row.ours.high:.2f}], n = {row.ours.n} seeds" in text
    assert row.difference is not None
    assert f"Difference to none, by pairs: {row.difference.estimate:+.2f} " in text
    ids = [record.id for record in results.records["linear"].values()]
    assert f"Records: {', '.join(ids[:3])} and {len(ids) - 3} more (all: #records-accuracy)" in text
    commits = {record.provenance["commit"][:7] for record in results.records["linear"].values()}
    assert f"made at commit {', '.join(sorted(commits))}." in text
    assert text.endswith("A & B: A book, version 0.1.0, 2026. https://example.org/v05.html#row")


def test_bibtex_has_the_same_words_and_closes_its_braces(
    rows: dict[str, dict[str, object]],
) -> None:
    entry = cited(rows["linear"], "bibtex")
    assert entry.startswith("@misc{spatialnb-v05-accuracy-linear,\n")
    assert r"author = {{A \& B}}" in entry
    assert r"95 \% interval" in entry
    assert "url = {https://example.org/v05.html#row}" in entry
    assert entry.count("{") == entry.count("}")


def test_signs_that_latex_reads_are_written_out(rows: dict[str, dict[str, object]]) -> None:
    entry = cited({**rows["linear"], "what": r"a_b \ ~ ^ $ # {"}, "bibtex")
    words = r"a\_b \textbackslash{} \textasciitilde{} \textasciicircum{} \$ \# \{"
    assert words in entry


def test_one_record_and_one_seed_are_said_so(rows: dict[str, dict[str, object]]) -> None:
    one = {"n": 1, "interval": "", "count": 1, "records": ["abc"], "commits": [], "also": ""}
    text = cited({**rows["linear"], **one}, "text")
    assert "(n = 1 seed)" in text
    assert "Record: abc (all: #records-accuracy). A & B" in text
