"""Figures of kernels: kernel value against distance, and the kernel values of a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialnb.priors.geometry import layer_distance, positions
from spatialnb.priors.kernels import Exponential, Kernel, Shuffled, Uniform
from spatialnb.report.display import Shown
from spatialnb.report.style import (
    HEIGHT,
    INK,
    LINES,
    WIDTH,
    figure,
    grid,
    legend,
    line,
    look,
    matrix,
)

PICTURE = 48
"""Number of outputs, and of inputs, in the matrix of a kernel."""
COLUMNS = 3
"""Number of matrices per row, such that their titles are legible on a phone."""

NEURONS = 9
"""Number of units per layer in the figure of the idea."""
THICK = 2.6
"""Line width, in points, of a connection with kernel value 1."""
IDEA: Mapping[str, Kernel] = {
    "none": Uniform(),
    "exponential, k = 3": Exponential(k=3),
    "exponential, k = 15": Exponential(k=15),
}


def idea_figure(kernels: Mapping[str, Kernel] = IDEA) -> Shown:
    """Two layers of units in a row, with connections as thick as their kernel values."""
    distance = layer_distance(NEURONS, NEURONS)
    middle = NEURONS // 2
    alts, rows = [], []
    with look():
        fig = Figure(figsize=(WIDTH, 1.35 * len(kernels)), layout="constrained")
        panels = fig.subplots(len(kernels), 1, squeeze=False).flatten()
        for axes, (name, kernel) in zip(panels, kernels.items(), strict=True):
            strength = kernel.strength(distance).tolist()
            _connections(axes, strength, middle)
            axes.set_title(name, fontsize="medium", loc="left")
            said = ", ".join(
                f"{strength[middle][at]:.2f} at {float(distance[middle, at]):g}"
                for at in range(middle, NEURONS)
            )
            alts.append(f"{name}: {said}.")
            rows += [
                {"kernel": name, "output": o, "input": i, "strength": strength[o][i]}
                for o in range(NEURONS)
                for i in range(NEURONS)
            ]
    caption = (
        f"Two layers of {NEURONS} units in a row, inputs below, outputs above. The thickness of a "
        "connection is its kernel value, the factor by which its weight is multiplied. Connections "
        "of the middle output are highlighted."
    )
    alt = f"Kernel values of the middle output's connections by distance. {' '.join(alts)}"
    return figure(fig, alt, caption, name="idea", rows=rows)


def kernel_figure(kernels: Mapping[str, Kernel]) -> Shown:
    """Kernel value against distance, and each kernel's matrix (out, in) as a picture; by name."""
    if not kernels:
        raise ValueError("kernel_figure: expected at least one kernel by name")
    across = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    square = layer_distance(PICTURE, PICTURE)
    columns = min(len(kernels), COLUMNS)
    below = math.ceil(len(kernels) / columns)
    alts, rows = [], []
    with look():
        fig = Figure(figsize=(WIDTH, HEIGHT + 1.7 * below), layout="constrained")
        upper, lower = fig.subfigures(
            2, 1, squeeze=False, height_ratios=[HEIGHT, 1.7 * below]
        ).flatten()
        axes = grid(upper.add_subplot())
        pictures = lower.subplots(below, columns, squeeze=False).flatten()
        for place, (name, kernel) in enumerate(kernels.items()):
            style = line(place)
            strength = kernel.strength(across).tolist()
            if isinstance(kernel, Shuffled):
                alts.append(f"{name}: kernel values permuted over connections.")
            else:
                axes.plot(
                    across.tolist(),
                    strength,
                    color=style.color,
                    ls=style.dash,
                    marker=style.marker,
                    markevery=(5 * place % 25, 25),
                    label=name,
                )
                ends = ", ".join(f"{strength[at]:.2f} at {at / 100:g}" for at in (0, 50, 100))
                alts.append(f"{name}: {ends}.")
                rows += [
                    {"kernel": name, "distance": at / 100, "strength": value}
                    for at, value in enumerate(strength)
                ]
            matrix(pictures[place], kernel.strength(square).tolist(), name, 1.0)
        for empty in pictures[len(kernels) :]:
            empty.remove()
        axes.set(xlabel="distance", ylabel="kernel value", ylim=(-0.03, 1.05))
        legend(upper, axes)
    caption = (
        "Kernel value of a connection by the distance that it spans, and as a matrix of outputs by "
        f"inputs ({PICTURE} each), from 0 (dark) to 1 (bright)."
    )
    alt = f"Kernel value by distance. {' '.join(alts)}"
    return figure(fig, alt, caption, name="kernels", rows=rows, taller=1.3)


def _connections(axes: Axes, strength: list[list[float]], middle: int) -> None:
    places = positions(NEURONS).flatten().tolist()
    for output in sorted(range(NEURONS), key=lambda o: o == middle):  # draw the middle one last
        ours = output == middle
        for into in range(NEURONS):
            axes.plot(
                [places[into], places[output]],
                [0.0, 1.0],
                color=LINES[0][0] if ours else INK,
                alpha=1.0 if ours else 0.3,
                lw=THICK * strength[output][into],
                solid_capstyle="butt",
            )
    for height in (0.0, 1.0):
        axes.plot(places, [height] * NEURONS, "o", color=INK, ms=7)
    axes.plot(places[middle], 1.0, "o", color=LINES[0][0], ms=9)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.15, 1.15))
    axes.axis("off")
