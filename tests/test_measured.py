"""The tables of the benchmarks: what stands in the JSON, and nothing else."""

import json

import pytest

from spatialnb.report import benchmark_table as page

ROWS = {"10": {"s": 0.5, "mb": 41.0}, "100": {"s": 0.25, "mb": 43.5}}


def test_a_table_shows_the_figures_as_they_are_to_be_written():
    columns = {"s": "status | seconds :.2f", "mb": "memory | MB :.0f"}
    shown = page.measured(ROWS, columns, "How it grows", "growth", corner="records")
    for text in ("How it grows", ">0.50<", ">0.25<", 'data-sort="43.5"', "growth.csv"):
        assert text in shown.html
    assert "0.25" in shown.text


def test_figures_that_were_not_measured_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "published_folder", lambda: tmp_path / "records")
    with pytest.raises(FileNotFoundError, match="`make bench` measures it"):
        page.benchmark("growth")
    (tmp_path / "speed").mkdir()
    (tmp_path / "speed" / "growth.json").write_text(json.dumps({"growth": []}))
    assert page.benchmark("growth") == {"growth": []}


def test_rows_are_named_by_a_figure():
    assert list(page.by([{"records": 1000}, {"records": 10}], "records")) == ["1,000", "10"]
