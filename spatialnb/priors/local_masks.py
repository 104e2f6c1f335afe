"""Local masks: which inputs each unit of a layer keeps, with the same number for every unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spatialnb.priors.geometry import grid, pixels


def kept_inputs(zeros: float, inputs: int, channels: int = 1) -> int:
    """How many inputs a unit keeps at this fraction of zeros, at least one.

    Parameters
    ----------
    zeros : fraction of zeros, between 0 and 1.
    inputs : the layer's number of inputs.
    channels : number of image channels; the channels of a pixel are kept together.
    """
    return channels * max(1, round((1.0 - zeros) * inputs / channels))


def nearest(distance: Tensor, kept: int, channels: int = 1) -> Tensor:
    """Mask in which each unit keeps its nearest inputs; ties go to the lower index.

    Parameters
    ----------
    distance : (out, in), from every unit to every input; with several channels, equal for all
        channels of a pixel, and flattened channel by channel.
    kept : number of inputs per unit, a multiple of `channels`.
    channels : number of image channels, kept together.

    Returns
    -------
    Tensor (out, in), bool, True for kept weights.
    """
    out, inputs = distance.shape
    places = distance[:, : inputs // channels]
    order = places.sort(dim=1, stable=True).indices[:, : kept // channels]
    mask = torch.zeros_like(places, dtype=torch.bool).scatter_(1, order, True)
    return mask.repeat(1, channels).reshape(out, inputs)


def random(shape: Sequence[int], kept: int, generator: torch.Generator) -> Tensor:
    """Random mask (out, in) in which each unit keeps `kept` inputs."""
    order = torch.rand(tuple(shape), generator=generator).topk(kept, dim=1).indices
    return torch.zeros(tuple(shape), dtype=torch.bool).scatter_(1, order, True)


def window(shape: Sequence[int], units: int, zeros: float, permuted: int | None = None) -> Tensor:
    """Mask in which each unit keeps a square of pixels around its position, with all channels.

    This is a locally connected layer, without weight sharing. Units lie on a grid over the image
    (:func:`spatialnb.priors.geometry.grid`); near the border the square is shifted inside.

    Parameters
    ----------
    shape : of an image, (channels, height, width).
    units : the layer's number of units.
    zeros : fraction of zeros; the square's side is the root of (1 - `zeros`) · pixels, rounded.
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
