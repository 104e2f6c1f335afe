"""A table of training speed on an accelerator, from the figures of a benchmark."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from spatialnb.report.benchmark_table import benchmark
from spatialnb.report.display import Shown
from spatialnb.report.formatting import bounds, number
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study.inference import mean_interval

NONE_YET = (
    "Nothing has been measured on an accelerator yet. benchmarks/accelerator.py writes "
    "book/speed/accelerator.json, which this table shows."
)
HEADS = (
    "time per epoch | seconds",
    "12-epoch runs | per minute",
    "speed | times the CPU loop's",
    "copying | share of time",
    "products | share of time",
    "both | share of time",
)


def accelerator_table(figures: Mapping[str, Any] | None = None) -> Shown:
    """Speed of stacks of every size on an accelerator, and of the loop on the machine's CPU cores.

    Parameters
    ----------
    figures : the output of ``benchmarks/accelerator.py``; by default the book's, if there is any.
    """
    if figures is None:
        try:
            figures = benchmark("accelerator")
        except FileNotFoundError:
            return _said([NONE_YET])
    rows = [row for row in figures.get("stacks", ()) if "epoch_s" in row]
    rows = sorted(rows, key=lambda row: (row["kind"], row["runs"]))
    notes = _notes(figures)
    if not rows:
        return _said(notes)
    loop = figures.get("loop", {}).get("runs_of_12_epochs_a_minute")
    names = [f"{row['runs']:,}, {row['kind']}" for row in rows]
    data = pd.DataFrame([_cells(row, loop) for row in rows], index=names)
    title = f"Stacks on {figures['made_on']['device']}: CIFAR-10, 3072-256-128-10, batches of 128"
    html = "\n".join(
        [
            as_html(data, title, corner="runs at once"),
            *(f"<p>{escape(note)}</p>" for note in notes),
            downloads("accelerator", pd.DataFrame(rows)),
        ]
    )
    return Shown(html, "\n".join([as_text(data, title), *notes]))


def beside_the_published() -> dict[str, str]:
    """Values to glue on how well stacks reproduce the published runs of the log's chapters.

    ``stacks-arms`` is the number of arms trained again in stacks. ``stacks-largest`` is the largest
    difference in an arm's mean accuracy, in points, and ``stacks-errors`` in standard errors.
    """
    beside = benchmark("accelerator")["the_log_beside_the_published"]
    return {
        "stacks-arms": str(beside["arms"]),
        "stacks-largest": f"{beside['largest_difference']:.2f}",
        "stacks-errors": f"{_standard_errors(beside['by_arm']):.1f}",
    }


def repeated_numbers() -> dict[str, str]:
    """Values to glue on how well the loop on a CPU reproduces runs that were trained on a GPU.

    ``repeated-runs`` of ``repeated-of`` such runs were trained again. ``repeated-difference`` is
    the mean of the new accuracy minus the recorded one, in points, with its 95 % interval;
    ``repeated-furthest`` is the largest distance of a run from its arm's mean, in standard
    deviations over seeds, and ``repeated-sd`` the standard deviation of these distances.
    """
    figures = benchmark("repeated")
    rows = figures["rows"]
    ours = mean_interval([row["again"] - row["recorded"] for row in rows])
    away = [(row["again"] - row["mean"]) / row["sd"] for row in rows]
    return {
        "repeated-runs": str(len(rows)),
        "repeated-of": str(figures["of"]),
        "repeated-difference": f"{number(ours.estimate, 2)} {bounds(ours, 2)}",
        "repeated-furthest": f"{max(map(abs, away)):.1f}",
        "repeated-sd": f"{statistics.stdev(away):.1f}",
    }


def _cells(row: Mapping[str, Any], loop: float | None) -> dict[str, Cell]:
    rate = row["runs_a_minute"]
    both = row["of_bandwidth"] + row["of_products"]
    times = None if loop is None else rate / loop
    cells = (
        Cell(f"{row['epoch_s']:.3f}", sort=row["epoch_s"]),
        Cell(f"{rate:,.1f}", sort=rate),
        Cell("–" if times is None else f"{times:,.1f}", sort=times),
        Cell(f"{100 * row['of_bandwidth']:.0f} %", sort=row["of_bandwidth"]),
        Cell(f"{100 * row['of_products']:.0f} %", sort=row["of_products"]),
        Cell(f"{100 * both:.0f} %", sort=both),
    )
    return dict(zip(HEADS, cells, strict=True))


def _notes(figures: Mapping[str, Any]) -> list[str]:
    """Sentences below the table."""
    notes = []
    if figures["made_on"].get("rehearsal"):
        notes.append(
            "A rehearsal with synthetic images and tiny sizes: its figures say nothing about speed."
        )
    if loop := figures.get("loop"):
        notes.append(
            f"The unstacked loop on the {loop['workers']} CPU cores of the same machine: "
            f"{loop['runs_of_12_epochs_a_minute']:,.1f} runs of 12 epochs per minute."
        )
    if log := figures.get("the_log"):
        extrapolated = f", extrapolated from {log['trained']}" if log["extrapolated"] else ""
        notes.append(
            f"v1 to v11 with twenty seeds: {log['stackable']} of the {log['runs']} runs can be "
            f"stacked, and take {log['seconds_for_all_stackable']:,.0f} seconds{extrapolated}."
        )
    beside = figures.get("the_log_beside_the_published", {})
    if beside.get("largest_difference") is not None:
        errors = _standard_errors(beside["by_arm"])
        notes.append(
            f"In {beside['arms']} arms, mean test accuracy differs from that of the published runs "
            f"with the same seeds by at most {beside['largest_difference']:.2f} points, and by at "
            f"most {errors:.1f} standard errors."
        )
    checked: Sequence[Mapping[str, Any]] = figures.get("checked", ())
    if checked:
        near = sum(bool(row["near"]) for row in checked)
        notes.append(
            f"Checked before the measurement: {near} of {len(checked)} stacks agree with the "
            "unstacked loop on the CPU, within the tolerance."
        )
    return [*notes, *figures.get("remarks", ())]


def _standard_errors(arms: Mapping[str, Mapping[str, float]]) -> float:
    """The largest difference of an arm, in its own standard errors."""
    found = [
        abs(arm["difference"]) / arm["standard_error"]
        for arm in arms.values()
        if arm["standard_error"]
    ]
    return max(found, default=0.0)


def _said(notes: Sequence[str]) -> Shown:
    return Shown("\n".join(f"<p>{escape(note)}</p>" for note in notes), "\n".join(notes))
