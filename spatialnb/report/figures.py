"""Figures of results: curves by epoch, points by arm, one metric against another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatialnb.registry import unknown
from spatialnb.report.display import Shown
from spatialnb.report.formatting import bounds, capital, number, setting, slug
from spatialnb.report.style import (
    HEIGHT,
    INK,
    PALE,
    SMALL,
    WIDTH,
    Line,
    canvas,
    figure,
    grid,
    legend,
    look,
    looks,
)
from spatialnb.report.summary import EMPTY, Row, grouped, summarise, values
from spatialnb.study import metrics
from spatialnb.study.inference import Interval, mean_interval
from spatialnb.study.results import Results

TOGETHER = 3
"""Up to this many arms share one panel of curves; more get one panel each, with the baseline."""

ByEpoch = Mapping[str, Sequence[Interval]]
"""For each arm, its mean with 95 % interval, by epoch."""


def curves(
    results: Results, arms: Sequence[str] | None = None, quantity: str = "accuracy"
) -> Shown:
    """Curves of a metric by epoch: means over seeds with 95 % bands.

    Parameters
    ----------
    arms : the arms to show; by default all.
    quantity : a metric that is recorded by epoch: ``accuracy``, ``test_loss``, ``train_loss``,
        ``cap_share``, ``target_distance``, ``dead:2``.
    """
    wanted = metrics.metric(quantity)
    every = {
        arm: [_interval(results, arm, f"{quantity}@{epoch}") for epoch in range(results.epochs)]
        for arm in choose(results, arms)
    }
    drawn = {arm: by_epoch for arm, by_epoch in every.items() if by_epoch[-1].n}
    names, note = _names(results, {arm: by_epoch[-1].n for arm, by_epoch in drawn.items()})
    caption = f"{capital(wanted.title)} by epoch, counted from 0: mean and 95 % band over seeds"
    with look():
        if len(drawn) <= TOGETHER:
            fig = _together(results, drawn, names, _axis(wanted))
        else:
            fig = _panels(results, drawn, names, _axis(wanted))
            if results.study.baseline in drawn:
                caption += f"; the grey line without marks is {names[results.study.baseline]}"
    alts = [
        _path(results.study.label(arm), [interval.estimate for interval in by_epoch], wanted)
        + f", n = {by_epoch[-1].n}."
        for arm, by_epoch in drawn.items()
    ]
    rows = [
        {"arm": arm, "epoch": epoch, **columns(interval)}
        for arm, by_epoch in drawn.items()
        for epoch, interval in enumerate(by_epoch)
    ]
    return figure(
        fig,
        f"Curves of {wanted.title} by epoch. {' '.join(alts)}",
        f"{caption}. {note}{setting(results)}.",
        name=f"{results.study.id}-curves-{slug(quantity)}",
        rows=rows,
    )


def dots(results: Results, metric: str = "accuracy", arms: Sequence[str] | None = None) -> Shown:
    """A row of points per arm, one per seed, with mean, 95 % interval and the reported value.

    Rows are in the order of `arms`, by default that of the study. Arms whose values are equal in
    every seed share a row.
    """
    chosen = choose(results, arms)
    wanted = metrics.metric(metric)
    there = [[row for row in group if row.arm in chosen] for group in grouped(results, metric)]
    groups = sorted(
        (group for group in there if group and group[0].ours.n),
        key=lambda group: chosen.index(group[0].arm),
    )
    rows = [group[0] for group in groups]
    names, note = _names(results, {row.arm: row.ours.n for row in rows})
    for group in groups:
        if len(group) > 1:
            names[group[0].arm] += f" and {len(group) - 1} more"
            same = ", ".join(results.study.label(row.arm) for row in group)
            note += f"The same in every seed, and so in one row: {same}. "
    alts, data = [], []
    with look():
        fig, axes = canvas(0.7 + 0.52 * len(rows))
        left = axes.get_yaxis_transform()  # x relative to the axes, y in data coordinates
        for place, (row, group) in enumerate(zip(rows, groups, strict=True)):
            style = _style(results, row.arm)
            points = values(results, row.arm, metric)
            # A fixed zigzag separates the points, so that the figure is reproducible.
            offsets = [place + 0.14 + 0.06 * (index % 5) for index in range(len(points))]
            axes.plot(list(points.values()), offsets, ".", color=style.color, ms=4.5, mew=0)
            low, high = row.ours.low, row.ours.high
            if not math.isnan(low):
                axes.plot([low, high], [place, place], "-", color=style.color, lw=3)
            axes.plot(row.ours.estimate, place, style.marker, color=style.color, ms=7)
            if row.reported is not None:
                axes.plot(row.reported, place, "x", color=INK, ms=7, mew=1.8)
            said = number(row.reported, wanted.digits) if row.reported is not None else "nothing"
            said = f", reported {said}" if any(one.reported is not None for one in rows) else ""
            alts.append(
                f"{', '.join(results.study.label(one.arm) for one in group)}: "
                f"{number(row.ours.estimate, wanted.digits)} "
                f"{bounds(row.ours, wanted.digits)}, n = {row.ours.n}{said}."
            )
            # Names are above their rows; in a margin they would take half of a phone's screen.
            axes.text(0.0, place - 0.3, names[row.arm], va="center", transform=left)
            summary = {**columns(row.ours), "reported": row.reported}
            data += [
                {"arm": one.arm, "seed": seed, "value": value, **summary}
                for one in group
                for seed, value in points.items()
            ]
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.5, -0.55)
        axes.set_xlabel(_axis(wanted))
    caption = (
        f"{capital(wanted.title)} by arm: one point per seed, the mean and its 95 % "
        f"interval{_cross(rows)}. {note}{setting(results)}."
    )
    alt = f"Values of {wanted.title} by arm. {' '.join(alts)}"
    name = f"{results.study.id}-{slug(metric)}-by-seed"
    return figure(fig, alt, caption, name=name, rows=data, taller=1.0)


def trade_off(results: Results, across: str, up: str = "accuracy") -> Shown:
    """Arms as points: the mean of metric `up` against that of `across`, with 95 % intervals.

    Reported values are marked with a cross. Arms without the metric `across` are left out.
    """
    horizontal, vertical = metrics.metric(across), metrics.metric(up)
    there = {row.arm: row.ours for row in summarise(results, across) if row.ours.n}
    rows = [row for row in summarise(results, up) if row.arm in there and row.ours.n]
    names, note = _names(results, {row.arm: row.ours.n for row in rows})
    alts, data = [], []
    with look():
        fig, axes = canvas(HEIGHT + 0.18 * len(rows))
        for row in rows:
            style, x = _style(results, row.arm), there[row.arm].estimate
            axes.plot(
                x, row.ours.estimate, style.marker, color=style.color, ms=8, label=names[row.arm]
            )
            if not math.isnan(row.ours.low):
                axes.plot([x, x], [row.ours.low, row.ours.high], "-", color=style.color, lw=2)
            if row.reported is not None:
                axes.plot(x, row.reported, "x", color=INK, ms=7, mew=1.8)
            alts.append(
                f"{results.study.label(row.arm)} (n = {row.ours.n}): "
                f"{number(row.ours.estimate, vertical.digits)} "
                f"{bounds(row.ours, vertical.digits)} at {number(x, horizontal.digits)}."
            )
            summary = {**columns(row.ours), "reported": row.reported}
            data.append({"arm": row.arm, slug(across): x, **summary})
        axes.set(xlabel=_axis(horizontal), ylabel=_axis(vertical))
        legend(fig, axes)
    caption = (
        f"{capital(vertical.title)} over {horizontal.title}: mean and 95 % interval"
        f"{_cross(rows)}. {note}{setting(results)}."
    )
    alt = f"{vertical.title} over {horizontal.title}. {' '.join(alts)}"
    name = f"{results.study.id}-{slug(up)}-over-{slug(across)}"
    return figure(fig, alt, caption, name=name, rows=data)


def _together(results: Results, drawn: ByEpoch, names: Mapping[str, str], axis: str) -> Figure:
    fig, axes = canvas()
    for arm, by_epoch in drawn.items():
        _curve(axes, by_epoch, _style(results, arm), label=names[arm])
    axes.set(xlabel="epoch", ylabel=axis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(fig, axes)
    return fig


def _panels(results: Results, drawn: ByEpoch, names: Mapping[str, str], axis: str) -> Figure:
    baseline = drawn.get(results.study.baseline)
    arms = [arm for arm in drawn if arm != results.study.baseline]
    below = math.ceil(len(arms) / 2)
    fig = Figure(figsize=(WIDTH, 0.6 + 1.5 * below), layout="constrained")
    panels = fig.subplots(below, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for arm, axes in zip(arms, panels, strict=False):
        grid(axes)
        if baseline is not None:
            means = [interval.estimate for interval in baseline]
            axes.plot(means, color=INK, lw=1.5, alpha=PALE)
        _curve(axes, drawn[arm], _style(results, arm))
        axes.set_title(names[arm], fontsize=SMALL)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for empty in panels[len(arms) :]:
        empty.remove()
        panels[len(arms) - 2].tick_params(labelbottom=True)
    fig.supxlabel("epoch", fontsize="medium")
    fig.supylabel(axis, fontsize="medium")
    return fig


def _curve(axes: Axes, by_epoch: Sequence[Interval], style: Line, label: str = "") -> None:
    epochs = range(len(by_epoch))
    axes.plot(
        epochs,
        [interval.estimate for interval in by_epoch],
        color=style.color,
        ls=style.dash,
        marker=style.marker,
        markevery=max(1, len(by_epoch) // 4),
        label=label,
    )
    axes.fill_between(
        epochs,
        [interval.low for interval in by_epoch],
        [interval.high for interval in by_epoch],
        color=style.color,
        alpha=0.25,
        lw=0,
    )


def choose(results: Results, arms: Sequence[str] | None) -> tuple[str, ...]:
    """The given arms, by default all; ValueError for an unknown arm."""
    chosen = results.arms if arms is None else tuple(arms)
    for arm in chosen:
        if arm not in results.arms:
            raise ValueError(unknown("arm", arm, dict.fromkeys(results.arms)))
    return chosen


def _names(results: Results, counts: Mapping[str, int]) -> tuple[dict[str, str], str]:
    """Names of arms, with n if it differs between arms, and a sentence on n for the caption."""
    names = {arm: results.study.label(arm) for arm in counts}
    if len(set(counts.values())) == 1:
        return names, f"n = {next(iter(counts.values()))} in every arm. "
    return {arm: f"{name} (n = {counts[arm]})" for arm, name in names.items()}, ""


def _cross(rows: Sequence[Row]) -> str:
    reported = any(row.reported is not None for row in rows)
    return "; the cross is the reported value" if reported else ""


def _style(results: Results, arm: str) -> Line:
    return looks(results.arms, results.study.baseline)[arm]


def _interval(results: Results, arm: str, metric: str) -> Interval:
    samples = values(results, arm, metric)
    return mean_interval(list(samples.values())) if samples else EMPTY


def columns(interval: Interval) -> dict[str, float]:
    """An interval as columns of the figure's CSV file."""
    return {"mean": interval.estimate, "low": interval.low, "high": interval.high, "n": interval.n}


def _axis(metric: metrics.Metric) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _path(label: str, means: list[float], metric: metrics.Metric) -> str:
    first, last = number(means[0], metric.digits), number(means[-1], metric.digits)
    best = int(np.argmax(means))
    return (
        f"{label}: from {first} in epoch 0 to {last} in epoch {len(means) - 1}, "
        f"highest {number(means[best], metric.digits)} in epoch {best}"
    )
