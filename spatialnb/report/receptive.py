"""Figure of the kernel values between one hidden unit and the pixels of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.priors.geometry import grid, layer_distance, plane
from spatialnb.registry import unknown
from spatialnb.report.display import Shown
from spatialnb.report.formatting import number
from spatialnb.report.style import SMALL, WIDE, WIDTH, figure, look, matrix
from spatialnb.study.results import Results

COLOURS = ("red", "green", "blue")
"""The channels of a colour image."""
IN_A_ROW = 2
"""Number of grey pictures per row; a row of a colour image has its three channels."""
DIGITS = 4
"""Decimals of the kernel values in the downloads."""


def receptive_fields(results: Results, arms: Sequence[str]) -> Shown:
    """Figure of the kernel values between one hidden unit and every pixel, in the last epoch.

    The unit is the one closest to the middle of the first hidden layer's grid, the same in all
    arms.

    Parameters
    ----------
    results : results of a chapter, of which only the runs' settings are used.
    arms : the arms to show.

    Raises
    ------
    ValueError : an unknown arm, no arm, or data that are not images.
    """
    shape = edition(results.dataset).shape
    if len(shape) != 3 or not arms:
        raise ValueError(
            f"receptive_fields: expected arms, and images; got {results.dataset}: {shape}"
        )
    runs = {arm: _run(results, arm) for arm in arms}
    layers = {arm: _strengths(run, results.dataset) for arm, run in runs.items()}
    neuron = _middle(next(iter(layers.values())).shape[0])
    fields = {arm: layer[neuron].reshape(shape).tolist() for arm, layer in layers.items()}
    names = COLOURS if shape[0] == len(COLOURS) else [f"channel {c}" for c in range(shape[0])]
    labels = {arm: results.study.label(arm) for arm in arms}
    fig = _pictures({labels[arm]: field for arm, field in fields.items()}, names)
    means = "; ".join(f"{labels[arm]}: {number(float(k.mean()), 3)}" for arm, k in layers.items())
    caption = (
        f"Kernel values between every pixel and hidden unit {neuron}, counted from 0, in the last "
        "epoch, from 0 (dark) to 1 (bright). Mean kernel value of the whole layer: "
        f"{means}. {results.dataset}."
    )
    alts = [f"{labels[arm]}: {_said(layers[arm][neuron], shape, names)}." for arm in arms]
    rows = [
        {"arm": arm, "channel": names[channel], "row": row}
        | {f"column {column}": round(value, DIGITS) for column, value in enumerate(line)}
        for arm, field in fields.items()
        for channel, lines in enumerate(field)
        for row, line in enumerate(lines)
    ]
    alt = f"Mean kernel value of one hidden unit's connections. {' '.join(alts)}"
    name, taller = f"{results.study.id}-receptive-fields", WIDE / WIDTH
    return figure(fig, alt, caption, name=name, rows=rows, taller=taller)


def _pictures(fields: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Figure:
    """Pictures of kernel values (channels, height, width), by label; one row per colour image."""
    channels = len(names)
    columns = channels if channels > 1 else min(len(fields), IN_A_ROW)
    below = math.ceil(len(fields) * channels / columns)
    with look():
        fig = Figure(figsize=(WIDTH, (WIDTH / columns + 0.2) * below), layout="constrained")
        panels = fig.subplots(below, columns, squeeze=False).flatten()
        drawn = [(label, c, values) for label, f in fields.items() for c, values in enumerate(f)]
        for axes, (label, channel, values) in zip(panels, drawn, strict=False):
            matrix(axes, values, label if channel == channels // 2 else "", 1.0)
        for empty in panels[len(drawn) :]:
            empty.remove()
        if channels > 1:
            for axes, name in zip(panels[-channels:], names, strict=True):
                axes.set_xlabel(name, fontsize=SMALL)
    return fig


def _run(results: Results, arm: str) -> Run:
    if arm not in results.arms:
        raise ValueError(unknown("arm", arm, dict.fromkeys(results.arms)))
    return next(iter(results.records[arm].values())).run


def _strengths(run: Run, dataset: str) -> Tensor:
    """Kernel values (out, in) of the first layer in the last epoch."""
    shape, units = edition(dataset).shape, run.hidden[0]
    if run.positions == "plane":
        (distance,) = plane(shape, units, permuted=run.permuted_pixels)
    else:
        distance = layer_distance(units, math.prod(shape))
    return run.schedule.at(1.0).strength(distance)


def _middle(neurons: int) -> int:
    """The unit closest to the middle of the grid; the first one if several are."""
    apart = (grid(neurons) - 0.5).norm(dim=1).tolist()
    return min(range(neurons), key=lambda neuron: (round(apart[neuron], 9), neuron))


def _said(field: Tensor, shape: Sequence[int], names: Sequence[str]) -> str:
    means = field.reshape(shape).mean(dim=(1, 2)).tolist()
    if len(means) == 1:
        return number(means[0], 3)
    return ", ".join(f"{number(mean, 3)} {name}" for mean, name in zip(means, names, strict=True))
