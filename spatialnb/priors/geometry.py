"""Where neurons are, and how far a connection reaches.

Source: report, "Idea" ("biases connections based on neuron position"); the positions themselves are
this book's reading, because the report prints none: evenly spaced on [0, 1] gives its sparsities.
On that line the neighbours of an input are those in a flattened list. The plane is chapter c3's:
pixels stand where they are in the image, and the other neurons on a grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor


def positions(neurons: int) -> Tensor:
    r"""Evenly spaced positions on [0, 1], ends included: $x_i = i / (n - 1)$.

    A single neuron stands in the middle.

    Parameters
    ----------
    neurons : how many, at least 1.

    Returns
    -------
    Tensor (neurons, 1), float64: one coordinate a neuron, no unit.

    Raises
    ------
    ValueError : fewer than one neuron.
    """
    if neurons < 1:
        raise ValueError(f"a layer has at least 1 neuron, got {neurons}")
    if neurons == 1:
        return torch.full((1, 1), 0.5, dtype=torch.float64, device="cpu")
    return torch.linspace(0.0, 1.0, neurons, dtype=torch.float64, device="cpu").unsqueeze(1)


def distance(outputs: Tensor, inputs: Tensor) -> Tensor:
    r"""Euclidean distance of every output to every input: $d_{oi} = \lVert x_o - x_i \rVert_2$.

    Parameters
    ----------
    outputs : (out, axes) positions of a layer's outputs.
    inputs : (in, axes) positions of its inputs, in the same unit and with the same axes.

    Returns
    -------
    Tensor (out, in), float64.

    Raises
    ------
    ValueError : the two have another number of axes, or are not lists of positions.
    """
    if outputs.ndim != 2 or inputs.ndim != 2 or outputs.shape[1] != inputs.shape[1]:
        raise ValueError(
            "expected positions (out, axes) and (in, axes) with the same axes, got "
            f"{tuple(outputs.shape)} and {tuple(inputs.shape)}"
        )
    if outputs.shape[1] == 1:
        # In one dimension the difference itself is exact.
        return (outputs - inputs.T).abs().double()
    return torch.cdist(
        outputs.double(), inputs.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )


def layer_distance(out_features: int, in_features: int) -> Tensor:
    """Distances (out, in) of a layer whose neurons stand evenly on [0, 1] at both ends."""
    return distance(positions(out_features), positions(in_features))


def grid(neurons: int) -> Tensor:
    r"""Positions on the plane $[0, 1]^2$: rows by columns, ends included, neurons row by row.

    Rows and columns are the two factors of the number that are nearest to each other, rows the
    smaller: 256 is 16 × 16, 128 is 8 × 16, 10 is 2 × 5. A prime number is a single row, in the
    middle of the plane.

    Parameters
    ----------
    neurons : how many, at least 1.

    Returns
    -------
    Tensor (neurons, 2), float64: from the top down, and from the left to the right.

    Raises
    ------
    ValueError : fewer than one neuron.
    """
    if neurons < 1:
        raise ValueError(f"a layer has at least 1 neuron, got {neurons}")
    rows = next(n for n in range(math.isqrt(neurons), 0, -1) if neurons % n == 0)
    return _lattice(rows, neurons // rows)


def pixels(shape: Sequence[int], permuted: int | None = None) -> Tensor:
    r"""Positions on the plane $[0, 1]^2$ of an image's inputs, flattened channel by channel.

    The pixel in row y of h and column x of w stands at $(y / (h - 1), x / (w - 1))$ in each of its
    channels.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    permuted : the seed of a permutation of the pixels' places, the channels of a pixel together;
        their own places without it. To the prior it is the same as permuting the pixels of every
        image, up to the names of the inputs, whose weights are drawn alike.

    Returns
    -------
    Tensor (channels · height · width, 2), float64: from the top down, and from the left to the
    right.

    Raises
    ------
    ValueError : `shape` is not that of an image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"only an image has pixels: expected a shape (channels, height, width), got "
            f"{tuple(shape)}"
        )
    channels, height, width = shape
    places = _lattice(height, width)
    if permuted is not None:
        generator = torch.Generator().manual_seed(permuted)
        order = torch.randperm(len(places), generator=generator, device="cpu")
        places = places[order]
    return places.repeat(channels, 1)


def plane(shape: Sequence[int], *widths: int, permuted: int | None = None) -> list[Tensor]:
    """Distances (out, in) of every layer of a network that looks at images, on the plane.

    Inputs stand where :func:`pixels` puts them, all other neurons where :func:`grid` does. A
    distance is at most the square root of 2; it is not scaled to 1.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    widths : neurons of each layer after the input, the outputs last.
    permuted : as for :func:`pixels`.

    Raises
    ------
    ValueError : `shape` is not that of an image, or a width is less than 1.
    """
    places = [pixels(shape, permuted), *(grid(width) for width in widths)]
    return [distance(outputs, inputs) for inputs, outputs in itertools.pairwise(places)]


def _lattice(rows: int, columns: int) -> Tensor:
    """Positions (rows · columns, 2) of the crossings of a lattice, row by row."""
    return torch.cartesian_prod(positions(rows).squeeze(1), positions(columns).squeeze(1))
