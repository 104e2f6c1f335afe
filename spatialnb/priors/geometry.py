"""Positions of units, and the distance that a connection spans.

Source: log, "Idea" ("biases connections based on neuron position"). The log states no positions;
this book reads them as evenly spaced on [0, 1], which reproduces the log's sparsities. In this 1-D
index order, an input's neighbours are those in the flattened list. In the 2-D layout of chapter c3,
pixels have their image coordinates, and all other units lie on a grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor


def positions(neurons: int) -> Tensor:
    r"""Evenly spaced positions on [0, 1], ends included: $x_i = i / (n - 1)$.

    A single unit is at the centre.

    Parameters
    ----------
    neurons : the number of units, at least 1.

    Returns
    -------
    Tensor (neurons, 1), float64: one dimensionless coordinate per unit.

    Raises
    ------
    ValueError : fewer than one unit.
    """
    if neurons < 1:
        raise ValueError(f"a layer needs at least 1 unit, got {neurons}")
    if neurons == 1:
        return torch.full((1, 1), 0.5, dtype=torch.float64, device="cpu")
    return torch.linspace(0.0, 1.0, neurons, dtype=torch.float64, device="cpu").unsqueeze(1)


def distance(outputs: Tensor, inputs: Tensor) -> Tensor:
    r"""Euclidean distance from every output to every input: $d_{oi} = \lVert x_o - x_i \rVert_2$.

    Parameters
    ----------
    outputs : (out, axes) positions of a layer's outputs.
    inputs : (in, axes) positions of its inputs, in the same coordinates.

    Returns
    -------
    Tensor (out, in), float64.

    Raises
    ------
    ValueError : the numbers of axes differ, or an argument is not a list of positions.
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
    """Distances (out, in) of a layer whose inputs and outputs are evenly spaced on [0, 1]."""
    return distance(positions(out_features), positions(in_features))


def grid(neurons: int) -> Tensor:
    r"""Positions on a grid in $[0, 1]^2$, ends included, with units row by row.

    Rows and columns are the two factors of the number of units that are closest to each other, with
    no more rows than columns: 256 is 16 × 16, 128 is 8 × 16, 10 is 2 × 5. A prime number gives a
    single row in the middle of the square.

    Parameters
    ----------
    neurons : the number of units, at least 1.

    Returns
    -------
    Tensor (neurons, 2), float64: coordinates from top to bottom, and from left to right.

    Raises
    ------
    ValueError : fewer than one unit.
    """
    if neurons < 1:
        raise ValueError(f"a layer needs at least 1 unit, got {neurons}")
    rows = next(n for n in range(math.isqrt(neurons), 0, -1) if neurons % n == 0)
    return _lattice(rows, neurons // rows)


def pixels(shape: Sequence[int], permuted: int | None = None) -> Tensor:
    r"""Positions in $[0, 1]^2$ of an image's inputs, flattened channel by channel.

    The pixel in row y of h and column x of w is at $(y / (h - 1), x / (w - 1))$, in each channel.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    permuted : the seed of a permutation of the pixels' positions, with the channels of a pixel kept
        together; by default pixels have their real coordinates. For the prior, this is equivalent
        to permuting the pixels of every image, up to the order of the inputs, whose initial weights
        are identically distributed.

    Returns
    -------
    Tensor (channels · height · width, 2), float64: coordinates from top to bottom, and from left to
    right.

    Raises
    ------
    ValueError : `shape` is not that of an image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"pixel positions need images: expected a shape (channels, height, width), got "
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
    """Distances (out, in) of every layer of a network on images, on the 2-D pixel grid.

    Inputs have the positions from :func:`pixels`, all other units those from :func:`grid`.
    Distances go up to the square root of 2; they are not scaled to 1.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    widths : number of units in each layer after the input, with the outputs last.
    permuted : as for :func:`pixels`.

    Raises
    ------
    ValueError : `shape` is not that of an image, or a width is less than 1.
    """
    places = [pixels(shape, permuted), *(grid(width) for width in widths)]
    return [distance(outputs, inputs) for inputs, outputs in itertools.pairwise(places)]


def _lattice(rows: int, columns: int) -> Tensor:
    """Positions (rows · columns, 2) of the points of a lattice, row by row."""
    return torch.cartesian_prod(positions(rows).squeeze(1), positions(columns).squeeze(1))
