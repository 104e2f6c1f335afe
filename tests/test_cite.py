"""What the page says where a number is cited, from the parts that the package gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import synthetic
from bs4 import BeautifulSoup
from py_mini_racer import mini_racer

from spatialnb import report, studies
from spatialnb.config.run import Run
from spatialnb.priors.kernels import Linear, Uniform
from spatialnb.priors.schedules import Static
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
    assert f"Difference from none, paired: {row.difference.estimate:+.2f} " in text
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


def cells_of(shown: report.Shown) -> list[dict[str, object]]:
    """The citations of a table, a number each, as the page takes them apart."""
    soup = BeautifulSoup(shown.html, "html.parser")
    ids = [str(one["id"]) for one in soup.select("[data-cite]")]
    assert len(set(ids)) == len(ids)
    with mini_racer() as engine:
        engine.eval(SCRIPT.read_text("utf-8"))
        found = [
            json.loads(str(engine.eval(f"JSON.stringify(cite.numbers({one['data-cite']}))")))
            for one in soup.select("[data-cite]")
        ]
    return [number for numbers in found for number in numbers]


def test_a_row_of_several_numbers_cites_each_with_its_own_records() -> None:
    results = synthetic.results()
    names = ["accuracy", "test_loss"]
    found = cells_of(report.side_by_side(results, names))
    assert len(found) == len(names) * len(results.arms)
    assert len({one["id"] for one in found}) == len(found)
    for one in found:
        (arm,) = one["arms"]  # type: ignore[misc]
        assert one["records"] == [record.id for record in results.records[arm].values()][:3]
        assert one["count"] == one["n"] == 6
    row = next(one for one in summarise(results, "accuracy") if one.arm == "linear")
    values = [one for one in found if one["arms"] == ["linear"] and "accuracy" in str(one["what"])]
    assert [one["value"] for one in values] == [f"{row.ours.estimate:.2f} ± {row.ours.sd:.2f} %"]
    text = cited(values[0], "text")
    assert text.startswith("v01, linear, test accuracy: ")
    assert "Records: " in text
    assert "(all: " not in text  # this table has no list of records below it


def test_a_number_of_a_search_names_its_panel_its_rate_and_its_records() -> None:
    arms = {
        f"{name}, {rate:g}": Run(
            dataset="mnist",
            epochs=5,
            validation_size=1000,
            learning_rate=rate,
            schedule=Static(kernel=kernel),
        )
        for name, kernel in {"none": Uniform(), "linear": Linear()}.items()
        for rate in (0.001, 0.002)
    }
    results = synthetic.results(
        synthetic.study(
            arms=arms, labels={}, baseline="none, 0.001", reported=(), claims=(), pairs=False
        )
    )
    lines = {
        "constant": {name: [arm for arm in arms if name in arm] for name in ("none", "linear")}
    }
    found = cells_of(report.rate_table(results, lines))
    assert [one["arms"] for one in found] == [
        [f"{name}, {rate}"] for rate in (0.001, 0.002) for name in ("none", "linear")
    ]
    assert "v01, linear, constant, learning rate 0.002, validation accuracy" in [
        one["what"] for one in found
    ]
    best = cells_of(report.chosen_table(results, lines))
    assert [one["what"] for one in best] == [
        f"v01, {name} at its best setting, validation accuracy" for name in ("none", "linear")
    ]


def test_a_share_of_small_kernel_values_is_cited() -> None:
    found = cells_of(report.shares(synthetic.results()))
    assert [one["what"] for one in found]
    assert all(one["count"] for one in found)


def test_one_record_and_one_seed_are_said_so(rows: dict[str, dict[str, object]]) -> None:
    one = {"n": 1, "interval": "", "count": 1, "records": ["abc"], "commits": [], "also": ""}
    text = cited({**rows["linear"], **one}, "text")
    assert "(n = 1 seed)" in text
    assert "Record: abc (all: #records-accuracy). A & B" in text
