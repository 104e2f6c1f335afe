"""Figures: curves by epoch, seeds by arm, and pictures of kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatialnb import metrics
from spatialnb.geometry import layer_distance
from spatialnb.kernels import Kernel, Shuffled
from spatialnb.registry import unknown
from spatialnb.report.shown import Shown
from spatialnb.report.style import INK, Line, figure, line, look
from spatialnb.report.summary import EMPTY, summarise, values
from spatialnb.report.words import bounds, number, setting
from spatialnb.statistics import Interval, mean_interval
from spatialnb.study import Results

WIDTH, HEIGHT = 5.2, 3.4  # inches: at phone width its 11 pt text is still 10 px tall
PICTURE = 48  # neurons a side in the matrix of a kernel


def curves(
    results: Results, arms: Sequence[str] | None = None, quantity: str = "accuracy"
) -> Shown:
    """Mean by epoch with its 95 % band.

    Parameters
    ----------
    arms : which ones; all without it.
    quantity : a metric that is recorded by epoch: ``accuracy``, ``test_loss``, ``train_loss``,
        ``cap_share``, ``target_distance``.
    """
    chosen = _choose(results, arms)
    wanted = metrics.metric(quantity)
    epochs = list(range(results.epochs))
    alts = []
    with look():
        fig, axes = _figure()
        for arm in chosen:
            by_epoch = [_interval(results, arm, f"{quantity}@{epoch}") for epoch in epochs]
            if not by_epoch[-1].n:
                continue
            style = _style(results, arm)
            label = f"{results.study.label(arm)} (n = {by_epoch[-1].n})"
            means = [interval.estimate for interval in by_epoch]
            axes.plot(
                epochs, means, color=style.color, ls=style.dash, marker=style.marker, label=label
            )
            axes.fill_between(
                epochs,
                [interval.low for interval in by_epoch],
                [interval.high for interval in by_epoch],
                color=style.color,
                alpha=0.25,
                lw=0,
            )
            alts.append(_path(results.study.label(arm), means, by_epoch[-1].n, wanted))
        axes.set_xlabel("epoch")
        axes.set_ylabel(_axis(wanted))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes)
    caption = (
        f"{wanted.title.capitalize()} by epoch, counted from 0: mean and 95 % interval over seeds. "
        f"{setting(results)}."
    )
    return figure(fig, f"Curves of {wanted.title} by epoch. {' '.join(alts)}", caption)


def dots(results: Results, metric: str = "accuracy", arms: Sequence[str] | None = None) -> Shown:
    """Every seed as a point by arm, with mean and 95 % interval, and what was reported."""
    chosen = _choose(results, arms)
    wanted = metrics.metric(metric)
    rows = [row for row in summarise(results, metric) if row.arm in chosen and row.ours.n]
    alts = []
    with look():
        fig, axes = _figure(0.9 + 0.45 * len(rows))
        for place, row in enumerate(rows):
            style = _style(results, row.arm)
            points = list(values(results, row.arm, metric).values())
            # A fixed zigzag keeps points apart; no chance in a figure.
            offsets = [0.1 + 0.06 * (index % 5) for index in range(len(points))]
            axes.plot(points, [place + o for o in offsets], ".", color=style.color, alpha=0.6)
            low, high = row.ours.low, row.ours.high
            if not math.isnan(low):
                axes.plot([low, high], [place, place], "-", color=style.color, lw=3)
            axes.plot(row.ours.estimate, place, style.marker, color=style.color, ms=6)
            if row.reported is not None:
                axes.plot(row.reported, place - 0.22, "x", color=INK, ms=6, mew=1.5)
            said = number(row.reported, wanted.digits) if row.reported is not None else "nothing"
            said = f", reported {said}" if results.study.reported else ""
            alts.append(
                f"{results.study.label(row.arm)}: {number(row.ours.estimate, wanted.digits)} "
                f"{bounds(row.ours, wanted.digits)}, n = {row.ours.n}{said}."
            )
        names = [f"{results.study.label(row.arm)} (n = {row.ours.n})" for row in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(_axis(wanted))
    caption = (
        f"{wanted.title.capitalize()} by arm: a point a seed, the mean and its 95 % interval"
        f"{'; the cross is the reported value' if results.study.reported else ''}. "
        f"{setting(results)}."
    )
    return figure(fig, f"Values of {wanted.title} by arm. {' '.join(alts)}", caption)


def trade_off(results: Results, across: str, up: str = "accuracy") -> Shown:
    """Arms as points: mean of one metric over that of another, with 95 % intervals, and reported.

    Arms without the metric `across` are left out.
    """
    horizontal, vertical = metrics.metric(across), metrics.metric(up)
    there = {row.arm: row for row in summarise(results, across) if row.ours.n}
    alts = []
    with look():
        fig, axes = _figure()
        for row in summarise(results, up):
            if row.arm not in there or not row.ours.n:
                continue
            style, x = _style(results, row.arm), there[row.arm].ours.estimate
            label = f"{results.study.label(row.arm)} (n = {row.ours.n})"
            axes.plot(x, row.ours.estimate, style.marker, color=style.color, ms=7, label=label)
            if not math.isnan(row.ours.low):
                axes.plot([x, x], [row.ours.low, row.ours.high], "-", color=style.color, lw=2)
            if row.reported is not None:
                axes.plot(x, row.reported, "x", color=INK, ms=6, mew=1.5)
            alts.append(
                f"{label}: {number(row.ours.estimate, vertical.digits)} "
                f"{bounds(row.ours, vertical.digits)} at {number(x, horizontal.digits)}."
            )
        axes.set(xlabel=_axis(horizontal), ylabel=_axis(vertical))
        _legend(axes)
    caption = (
        f"{vertical.title.capitalize()} over {horizontal.title}: mean and 95 % interval; "
        f"the cross is the reported value. {setting(results)}."
    )
    alt = f"{vertical.title} over {horizontal.title}. {' '.join(alts)}"
    return figure(fig, alt, caption)


def kernel_figure(kernels: Mapping[str, Kernel]) -> Shown:
    """Kernels by name: strength against distance, and each one's matrix (out, in) as a picture."""
    if not kernels:
        raise ValueError("kernel_figure: expected at least one kernel by name")
    across = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    square = layer_distance(PICTURE, PICTURE)
    columns = min(len(kernels), 5)
    below = math.ceil(len(kernels) / columns)
    alts = []
    with look():
        fig = Figure(figsize=(WIDTH, HEIGHT + 1.4 * below), layout="constrained")
        grid = fig.add_gridspec(1 + below, columns, height_ratios=[HEIGHT, *[1.4] * below])
        axes = fig.add_subplot(grid[0, :])
        for place, (name, kernel) in enumerate(kernels.items()):
            style = line(place)
            strength = kernel.strength(across).numpy()
            if isinstance(kernel, Shuffled):
                alts.append(f"{name}: strengths at shuffled places.")
            else:
                axes.plot(across.numpy(), strength, color=style.color, ls=style.dash, label=name)
                ends = ", ".join(f"{strength[at]:.2f} at {at / 100:g}" for at in (0, 50, 100))
                alts.append(f"{name}: {ends}.")
            picture = fig.add_subplot(grid[1 + place // columns, place % columns])
            picture.imshow(
                kernel.strength(square).numpy(),
                vmin=0.0,
                vmax=1.0,
                cmap="cividis",
                interpolation="none",
            )
            picture.set(xticks=[], yticks=[])
            picture.set_title(name, fontsize=9, color=INK)
        axes.set(xlabel="distance", ylabel="strength", ylim=(-0.03, 1.05))
        _legend(axes)
    caption = (
        "Strength of a connection by the distance that it spans, and as a matrix of outputs by "
        f"inputs ({PICTURE} each): bright is strong."
    )
    return figure(fig, f"Strength by distance. {' '.join(alts)}", caption)


def _figure(height: float = HEIGHT) -> tuple[Figure, Axes]:
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = fig.add_subplot()
    axes.grid(alpha=0.25, color=INK)
    axes.set_axisbelow(True)
    return fig, axes


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:  # matplotlib warns of an empty one
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=9)


def _choose(results: Results, arms: Sequence[str] | None) -> tuple[str, ...]:
    chosen = results.arms if arms is None else tuple(arms)
    for arm in chosen:
        if arm not in results.arms:
            raise ValueError(unknown("arm", arm, dict.fromkeys(results.arms)))
    return chosen


def _style(results: Results, arm: str) -> Line:
    return line(results.arms.index(arm), arm == results.study.baseline)


def _interval(results: Results, arm: str, metric: str) -> Interval:
    samples = values(results, arm, metric)
    return mean_interval(list(samples.values())) if samples else EMPTY


def _axis(metric: metrics.Metric) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _path(label: str, means: list[float], n: int, metric: metrics.Metric) -> str:
    first, last = number(means[0], metric.digits), number(means[-1], metric.digits)
    best = int(np.argmax(means))
    return (
        f"{label}: from {first} in epoch 0 to {last} in epoch {len(means) - 1}, "
        f"highest {number(means[best], metric.digits)} in epoch {best}, n = {n}."
    )
