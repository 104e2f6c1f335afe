"""Tables and figures of a search over learning rates: all results, and the best settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from spatialnb.report.citation import cited, cited_row, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.formatting import capital, failures, number, setting, slug, spread
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.style import SMALL, WIDTH, figure, grid, legend, look, looks
from spatialnb.report.summary import summarise
from spatialnb.study import metrics
from spatialnb.study.inference import Interval
from spatialnb.study.results import Results

ACCURACY = "validation_accuracy"
"""The metric by which settings are chosen; never one on test images."""
Lines = Mapping[str, Mapping[str, Iterable[str]]]
"""Arms that differ only in their learning rate, by panel and by line of a figure."""


def best(results: Results, arms: Iterable[str]) -> str:
    """The arm with the highest mean validation accuracy; ties go to the first.

    Raises
    ------
    ValueError : every run of these arms failed.
    """
    chosen = set(arms)
    rows = [row for row in summarise(results, ACCURACY) if row.arm in chosen and row.ours.n]
    if not rows:
        raise ValueError(f"no arm of {', '.join(sorted(chosen))} has a validation accuracy")
    return max(rows, key=lambda row: row.ours.estimate).arm


def chosen(results: Results, lines: Lines) -> dict[str, str]:
    """The best arm of every line over all its panels, see :func:`best`."""
    names = dict.fromkeys(name for line_of in lines.values() for name in line_of)
    return {
        name: best(results, [arm for line_of in lines.values() for arm in line_of.get(name, ())])
        for name in names
    }


def chosen_table(results: Results, lines: Lines) -> Shown:
    """A table of the arms from :func:`chosen`: learning rate, decay and accuracy."""
    wanted = metrics.metric(ACCURACY)
    rows = {row.arm: row.ours for row in summarise(results, ACCURACY)}
    cells = {}
    for name, arm in chosen(results, lines).items():
        run, ours = results.study.arms[arm], rows[arm]
        cells[name] = {
            "learning rate": Cell(f"{run.learning_rate:g}", sort=run.learning_rate),
            "decay": Cell(run.learning_rate_decay or "no"),
            f"{wanted.title} ({wanted.unit})": Cell(
                spread(ours.estimate, ours.sd, wanted.digits), sort=ours.estimate
            ),
            "n": Cell(str(ours.n)),
        }
    data = pd.DataFrame.from_dict(cells, orient="index")
    data.index = pd.Index(
        [
            cited(
                name,
                f"{results.study.id}-chosen-{slug(name)}",
                _parts(results, arm, rows[arm], f"{name} at its best setting"),
            )
            for name, arm in chosen(results, lines).items()
        ]
    )
    title = f"The setting with the highest {wanted.title}: {setting(results)}"
    taken = [
        {"arm": name, "setting": arm, "learning_rate": results.study.arms[arm].learning_rate}
        | {"decay": results.study.arms[arm].learning_rate_decay}
        | {"mean": rows[arm].estimate, "sd": rows[arm].sd, "n": rows[arm].n}
        for name, arm in chosen(results, lines).items()
    ]
    links = downloads(f"{results.study.id}-chosen", pd.DataFrame(taken))
    return Shown(f"{as_html(data, title, corner='arm')}\n{links}", as_text(data, title))


def chosen_numbers(results: Results, lines: Lines) -> dict[str, str]:
    """Values to glue on the arms from :func:`chosen`.

    Keys like ``c2c-none-best`` are accuracies; with ``-rate`` and ``-decay``, they are the learning
    rate and its decay, such as ``linear`` or ``constant``.
    """
    rows = {row.arm: row.ours.estimate for row in summarise(results, ACCURACY)}
    said = {}
    for name, arm in chosen(results, lines).items():
        run, key = results.study.arms[arm], f"{results.study.id}-{slug(name)}-best"
        said[key] = number(rows[arm], metrics.metric(ACCURACY).digits)
        said[f"{key}-rate"] = f"{run.learning_rate:g}"
        said[f"{key}-decay"] = run.learning_rate_decay or "constant"
    return said


def rate_table(results: Results, lines: Lines) -> Shown:
    """Tables of mean validation accuracy by learning rate, one per panel, with each arm's best."""
    wanted = metrics.metric(ACCURACY)
    rows = {row.arm: row.ours for row in summarise(results, ACCURACY)}
    html, texts = [], []
    for panel, line_of in lines.items():
        cells: dict[str, dict[str, Cell]] = {}
        cites: dict[str, dict[str, Any]] = {}
        for name, members in line_of.items():
            arms = list(members)
            top = best(results, arms)
            cells[name.replace(", ", " | ", 1)] = {
                f"{results.study.arms[arm].learning_rate:g}": Cell(
                    number(rows[arm].estimate, wanted.digits) + (" *" if arm == top else ""),
                    below=f"{lost} failed" if (lost := len(results.failed(arm))) else "",
                    sort=rows[arm].estimate,
                )
                for arm in arms
            }
            for arm in arms:
                rate = f"{results.study.arms[arm].learning_rate:g}"
                if rows[arm].n:
                    about = f"{name}, {panel}, learning rate {rate}"
                    of_rate = cites.setdefault(rate, {})
                    of_rate[name] = _parts(results, arm, rows[arm], about)
        data = pd.DataFrame(cells)
        key = f"{results.study.id}-rates-{slug(panel)}"
        data.index = pd.Index(
            [cited_row(rate, f"{key}-{slug(rate)}", cites.get(rate, {})) for rate in data.index]
        )
        title = f"{capital(wanted.title)} ({wanted.unit}), {panel}: {setting(results)}"
        html.append(as_html(data, title, corner="learning rate"))
        texts.append(as_text(data, title))
    means = f"Means over {len(results.seeds)} seeds; * marks the highest of an arm."
    notes = [means, *failures(results)]
    long = pd.DataFrame(
        {"arm": arm, "mean": ours.estimate, "sd": ours.sd, "n": ours.n}
        for arm, ours in rows.items()
    )
    links = downloads(f"{results.study.id}-learning-rates", long)
    below = [f"<p>{escape(note)}</p>" for note in notes]
    return Shown("\n".join([*html, *below, links]), "\n\n".join([*texts, "\n".join(notes)]))


def _parts(results: Results, arm: str, ours: Interval, about: str) -> dict[str, Any]:
    return number_parts(results, ACCURACY, [arm], ours, f"{results.study.id}, {about}")


def rate_figure(results: Results, lines: Lines) -> Shown:
    """Figure of validation accuracy against the learning rate, with one line per arm."""
    wanted = metrics.metric(ACCURACY)
    means = {row.arm: row.ours for row in summarise(results, ACCURACY)}
    alts, data = [], []
    searched = {
        tuple(results.study.arms[arm].learning_rate for arm in members)
        for line_of in lines.values()
        for members in line_of.values()
    }
    alike = len(searched) == 1  # otherwise each panel is a different network and has separate axes
    with look():
        fig = Figure(figsize=(WIDTH, 2.4 * len(lines) + 0.9), layout="constrained")
        panels = fig.subplots(len(lines), 1, sharex=alike, sharey=alike, squeeze=False).flatten()
        for axes, (panel, line_of) in zip(panels, lines.items(), strict=True):
            grid(axes)
            drawn = looks(list(line_of), baseline=next(iter(line_of)))
            for name, members in line_of.items():
                style, arms = drawn[name], list(members)
                rates = [results.study.arms[arm].learning_rate for arm in arms]
                values = [means[arm].estimate for arm in arms]
                axes.plot(
                    rates, values, ls=style.dash, color=style.color, marker=style.marker, label=name
                )
                alts.append(_said(name, panel, rates, values, wanted.digits))
                data += [
                    {"arm": name, "decay": panel, "learning_rate": rate, "mean": value}
                    for rate, value in zip(rates, values, strict=True)
                ]
            axes.set_title(panel, fontsize=SMALL)
            axes.set_xscale("log", base=2)
            ticks = rates if len(rates) < 6 else rates[::2]
            axes.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
            axes.set_ylabel(f"{wanted.title} ({wanted.unit})")
        panels[-1].set_xlabel("learning rate")
        legend(fig, panels[0])
    return figure(
        fig,
        f"{capital(wanted.title)} over the learning rate. {' '.join(alts)}",
        f"{capital(wanted.title)} after the last epoch by learning rate, constant or decaying: "
        f"means of {len(results.seeds)} seeds. "
        + " ".join([f"{setting(results)}.", *failures(results)]),
        name=f"{results.study.id}-learning-rates",
        rows=data,
    )


def _said(
    name: str, panel: str, rates: Sequence[float], values: Sequence[float], digits: int
) -> str:
    if all(math.isnan(value) for value in values):
        return f"{name}, {panel}: every run failed."
    top = max(range(len(values)), key=lambda place: (not math.isnan(values[place]), values[place]))
    return (
        f"{name}, {panel}: {number(values[0], digits)} at {rates[0]:g}, highest "
        f"{number(values[top], digits)} at {rates[top]:g}, {number(values[-1], digits)} at "
        f"{rates[-1]:g}."
    )
