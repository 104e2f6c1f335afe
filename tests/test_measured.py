"""The tables of the benchmarks: what stands in the JSON, and nothing else."""

import json

import pytest

from spatialnb.report import accelerator_table as accelerator_page
from spatialnb.report import benchmark_table as page
from spatialnb.report.accelerator_table import accelerator_table

ROWS = {"10": {"s": 0.5, "mb": 41.0}, "100": {"s": 0.25, "mb": 43.5}}


def test_a_table_shows_the_figures_as_they_are_to_be_written():
    columns = {"s": "status | seconds :.2f", "mb": "memory | MB :.0f"}
    shown = page.measured(ROWS, columns, "How it grows", "growth", corner="records")
    for text in ("How it grows", ">0.50<", ">0.25<", 'data-sort="43.5"', "growth.csv"):
        assert text in shown.html
    assert "0.25" in shown.text


def test_small_figures_are_written_as_powers_of_ten():
    rows = {"apart": {"s": 5.6e-16}}
    shown = page.measured(rows, {"s": "seconds :.1e"}, "Rounding", "rounding")
    assert "5.6\u00a0×\u00a010⁻¹⁶" in shown.html


def test_figures_that_were_not_measured_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "published_folder", lambda: tmp_path / "records")
    with pytest.raises(FileNotFoundError, match="`make bench` measures it"):
        page.benchmark("growth")
    (tmp_path / "speed").mkdir()
    (tmp_path / "speed" / "growth.json").write_text(json.dumps({"growth": []}))
    assert page.benchmark("growth") == {"growth": []}


def test_rows_are_named_by_a_figure():
    assert list(page.by([{"records": 1000}, {"records": 10}], "records")) == ["1,000", "10"]


ACCELERATOR = {
    "made_on": {"device": "NVIDIA H100", "rehearsal": False},
    "loop": {"workers": 16, "runs_of_12_epochs_a_minute": 20.0},
    "stacks": [
        {
            "kind": "arms and seeds",
            "runs": 1000,
            "epoch_s": 8.25,
            "runs_a_minute": 600.0,
            "of_bandwidth": 0.75,
            "of_products": 0.4,
        },
        {"kind": "arms and seeds", "runs": 3000, "failed": "OutOfMemoryError"},
    ],
    "the_log": {
        "runs": 740,
        "stackable": 680,
        "trained": 340,
        "seconds_for_all_stackable": 91.2,
        "extrapolated": True,
    },
    "the_log_beside_the_published": {
        "arms": 17,
        "largest_difference": 0.084,
        "by_arm": {
            "v05/none": {"difference": -0.084, "standard_error": 0.04},
            "v01/none": {"difference": 0.0, "standard_error": 0.0},
        },
    },
    "remarks": ["The fan was loud."],
    "checked": [{"near": True}, {"near": False}],
}


def test_an_accelerators_figures_stand_beside_the_loops():
    shown = accelerator_table(ACCELERATOR)
    for text in (
        "Stacks on NVIDIA H100",
        "1,000, arms and seeds",
        ">8.250<",
        ">600.0<",
        ">30.0<",
        ">75 %<",
        ">115 %<",
        "on the 16 CPU cores of the same machine: 20.0 runs of 12 epochs per minute.",
        "680 of the 740 runs can be stacked, and take 91 seconds, extrapolated from 340.",
        "In 17 arms, mean test accuracy differs from that of the published runs",
        "by at most 0.08 points, and by at most 2.1 standard errors.",
        "The fan was loud.",
        "1 of 2 stacks agree with the unstacked loop",
        "accelerator.csv",
    ):
        assert text in shown.html
    assert "OutOfMemory" not in shown.html


def test_an_accelerator_that_was_cut_off_or_never_there_is_said(tmp_path, monkeypatch):
    cut = {"made_on": {"device": "cpu", "rehearsal": True}}
    assert "its figures say nothing about speed" in accelerator_table(cut).text
    monkeypatch.setattr(page, "published_folder", lambda: tmp_path / "records")
    assert "Nothing has been measured on an accelerator yet" in accelerator_table().text


def test_forms_of_a_local_layer_stand_in_one_row_a_device_width_and_batch():
    layer = {"device": "cuda", "units": 1024, "zeros": 0.98, "batch": 32, "kilobytes": 2000.0}
    rows = [
        {**layer, "work": "step", "form": "dense", "ms": 1.0, "of_dense": 1.0},
        {**layer, "work": "step", "form": "masked", "ms": 1.1, "of_dense": 1.1},
        {**layer, "work": "step", "form": "compact", "ms": 0.5, "of_dense": 0.5, "kilobytes": 90.0},
        {**layer, "work": "forward", "form": "dense", "ms": 0.1, "of_dense": 1.0},
    ]
    assert page.by_form([{"rows": rows}], "step") == {
        "GPU, 1,024 units, 98 % zeros, batch 32": {
            "dense_ms": 1.0,
            "dense_of_dense": 1.0,
            "dense_mb": 2.0,
            "masked_of_dense": 1.1,
            "compact_ms": 0.5,
            "compact_of_dense": 0.5,
            "compact_mb": 0.09,
        }
    }


def test_runs_that_were_trained_again_are_told_in_points_and_standard_deviations(monkeypatch):
    rows = [
        {"recorded": 50.0, "again": 50.5, "mean": 50.0, "sd": 0.5},
        {"recorded": 40.0, "again": 39.5, "mean": 40.0, "sd": 0.25},
    ]
    monkeypatch.setattr(accelerator_page, "benchmark", lambda name: {"of": 7, "rows": rows})
    said = accelerator_page.repeated_numbers()
    assert said["repeated-runs"] == "2"
    assert said["repeated-of"] == "7"
    assert said["repeated-difference"].startswith("0.00 [−6.35")
    assert said["repeated-furthest"] == "2.0"
    assert said["repeated-sd"] == "2.1"
