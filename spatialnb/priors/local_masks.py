"""Masks by position: which inputs each unit of a layer keeps, the same number for every unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spatialnb.priors.geometry import grid, pixels


def kept_inputs(zeros: float, inputs: int, channels: int = 1) -> int:
    """How many inputs a unit keeps at this share of zeros, at least one.

    Parameters
    ----------
    zeros : share of zeros, between 0 and 1.
    inputs : of the layer.
    channels : of an image, whose pixels are kept with all their channels.
    """
    return channels * max(1, round((1.0 - zeros) * inputs / channels))


def nearest(distance: Tensor, kept: int, channels: int = 1) -> Tensor:
    """Each unit keeps its nearest inputs; of two that are as near, the first in order.

    Parameters
    ----------
    distance : (out, in) of every unit to every input; where there are channels, the same for all
        channels of a pixel, and flattened channel by channel.
    kept : inputs a unit keeps, a multiple of `channels`.
    channels : kept together.

    Returns
    -------
    Tensor (out, in), bool, True for a weight.
    """
    out, inputs = distance.shape
    places = distance[:, : inputs // channels]
    order = places.sort(dim=1, stable=True).indices[:, : kept // channels]
    mask = torch.zeros_like(places, dtype=torch.bool).scatter_(1, order, True)
    return mask.repeat(1, channels).reshape(out, inputs)


def random(shape: Sequence[int], kept: int, generator: torch.Generator) -> Tensor:
    """Each unit keeps inputs at random: a mask (out, in) with so many in every row."""
    order = torch.rand(tuple(shape), generator=generator).topk(kept, dim=1).indices
    return torch.zeros(tuple(shape), dtype=torch.bool).scatter_(1, order, True)


def window(shape: Sequence[int], units: int, zeros: float, permuted: int | None = None) -> Tensor:
    """Each unit keeps a square of pixels around its own position, with all channels.

    As in a locally connected layer, whose weights are not shared. Units stand on a grid over the
    image (:func:`spatialnb.priors.geometry.grid`); at its border a square is moved inside.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    units : of the layer.
    zeros : the side of the square is the root of a share 1 - `zeros` of the pixels, rounded.
    permuted : as for :func:`spatialnb.priors.geometry.pixels`.

    Returns
    -------
    Tensor (units, channels · height · width), bool.
    """
    channels, height, width = shape
    side = max(1, round(math.sqrt((1.0 - zeros) * height * width)))
    ends = torch.tensor([height - 1, width - 1], dtype=torch.float64)
    places = (pixels(shape, permuted)[: height * width] * ends).round()
    centres = (grid(units) * ends).round()
    first = (centres - side // 2).clamp(min=0.0).minimum((ends + 1 - side).clamp(min=0.0))
    inside = (places >= first[:, None]) & (places < first[:, None] + side)
    return inside.all(dim=2).repeat(1, channels)
