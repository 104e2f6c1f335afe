r"""How local a first layer's mask is in the image, against masks that are not, and the plane's own.

For a mask (units, inputs) over an image:

- ``input_distance``: the mean distance between two inputs that a unit keeps, over pairs, then over
  units. On the plane $[0, 1]^2$ two random places are 0.52 apart.
- ``plane_overlap``: the share of its weights that the plane's mask has too, in which every unit
  keeps as many of its nearest inputs. These are the largest strengths of any kernel on the plane.
- ``plane_overlap_best``: the same with each unit at the place on the grid where it is largest.
  Hidden units have no order of their own, so a mask that training has found is to be compared so.

Masks that iterative magnitude pruning leaves in fully connected networks are local: Pellegrini and
Biroli 2021, sifting out the features by pruning. The measures and the nulls here are this book's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialnb.priors.geometry import distance, grid, pixels
from spatialnb.priors.local_masks import nearest

MEASURES = ("input_distance", "plane_overlap", "plane_overlap_best")
"""What is measured, as above."""
DRAWS = 5
"""Masks of each null; a mean over hundreds of units hardly differs from one to the next."""
DEALS = 10
"""How often each unit deals with another; after so many its inputs come from hundreds of others."""


def locality(mask: Tensor, shape: Sequence[int], permuted: int | None = None) -> dict[str, float]:
    """The measures of a mask.

    Parameters
    ----------
    mask : (units, inputs), bool, inputs flattened channel by channel.
    shape : of an image, (channels, height, width).
    permuted : as for :func:`spatialnb.priors.geometry.pixels`.

    Returns
    -------
    dict : by the names of :data:`MEASURES`, in the unit of the plane and as shares in [0, 1];
        without a measure that no unit has, for want of two inputs or of one.

    Raises
    ------
    ValueError : `shape` is not that of an image, or `mask` does not fit it.
    """
    places = pixels(shape, permuted)
    if mask.ndim != 2 or mask.shape[1] != len(places):
        raise ValueError(
            f"mask: expected (units, {len(places)}) for images {tuple(shape)}, got "
            f"{tuple(mask.shape)}"
        )
    return _measured(mask.cpu(), places, shape[0])


def nulls(
    mask: Tensor,
    shape: Sequence[int],
    generator: torch.Generator,
    permuted: int | None = None,
    draws: int = DRAWS,
) -> dict[str, dict[str, float]]:
    """The means of the measures over masks that are not local, in three senses.

    ``random``: every unit keeps as many inputs, anywhere. ``popular``: as many, and each input is
    kept by as many units as before, so that units are not local only because all of them prefer the
    middle of the image. ``permuted``: the mask itself with the pixels of the image permuted, so
    that a unit is not local only because it keeps the channels of a pixel together.

    Parameters
    ----------
    mask, shape, permuted : as for :func:`locality`.
    generator : the only source of chance.
    draws : masks of each null.
    """
    mask, places = mask.cpu(), pixels(shape, permuted)
    channels = shape[0]

    def moved() -> Tensor:
        each = len(places) // channels
        return places[:each][torch.randperm(each, generator=generator)].repeat(channels, 1)

    found = {
        "random": [_measured(redrawn(mask, generator), places, channels) for _ in range(draws)],
        "popular": [
            _measured(redrawn(mask, generator, popular=True), places, channels)
            for _ in range(draws)
        ],
        "permuted": [_measured(mask, moved(), channels) for _ in range(draws)],
    }
    return {name: _means(measures) for name, measures in found.items()}


def redrawn(mask: Tensor, generator: torch.Generator, popular: bool = False) -> Tensor:
    """A mask (units, inputs) with as many inputs for every unit, drawn anew.

    With `popular` every input is kept by as many units, too: units in random pairs deal the inputs
    that only one of the two keeps anew, as many to each, some times over. Strona et al. 2014.
    """
    if not popular:
        scores = torch.rand(mask.shape, generator=generator)
        return _first(scores, mask.sum(dim=1, keepdim=True))
    for _ in range(DEALS):
        mask = _dealt(mask, generator)
    return mask


def _dealt(mask: Tensor, generator: torch.Generator) -> Tensor:
    half = len(mask) // 2
    order = torch.randperm(len(mask), generator=generator)
    one, other = mask[order[:half]], mask[order[half : 2 * half]]
    free, both = one ^ other, one & other
    scores = torch.rand(free.shape, generator=generator).masked_fill(~free, 2.0)
    dealt = _first(scores, (one & free).sum(dim=1, keepdim=True))
    mask = mask.clone()
    mask[order[:half]] = both | dealt
    mask[order[half : 2 * half]] = both | (free & ~dealt)
    return mask


def _first(scores: Tensor, numbers: Tensor) -> Tensor:
    """A mask, True at the smallest scores of each row, so many as its number (rows, 1) says."""
    places = torch.arange(scores.shape[1]).expand_as(scores)
    ranks = torch.empty_like(places).scatter_(1, scores.argsort(dim=1), places)
    return ranks < numbers


def _measured(mask: Tensor, places: Tensor, channels: int) -> dict[str, float]:
    return _distances(mask, places) | _overlaps(mask, places, channels)


def _distances(mask: Tensor, places: Tensor) -> dict[str, float]:
    there, at = torch.unique(places, dim=0, return_inverse=True)
    counts = torch.zeros(len(mask), len(there), dtype=torch.float64)
    counts.index_add_(1, at, mask.double())  # inputs of each unit at each place
    kept = counts.sum(dim=1)
    pairs = kept * (kept - 1.0)  # ordered; an input is at no distance from itself
    total = (counts @ distance(there, there) * counts).sum(dim=1)
    means = total[pairs > 0.0] / pairs[pairs > 0.0]
    return {"input_distance": float(means.mean())} if len(means) else {}


def _overlaps(mask: Tensor, places: Tensor, channels: int) -> dict[str, float]:
    kept = mask.sum(dim=1)
    if not bool(kept.any()):
        return {}
    number = max(1, round(float(kept.double().mean()) / channels)) * channels
    plane = nearest(distance(grid(len(mask)), places), number, channels)
    shared = mask.double() @ plane.double().T  # of each unit, with each place on the grid
    best = shared.max(dim=1).values[kept > 0] / kept[kept > 0]
    return {
        "plane_overlap": float(shared.diagonal().sum() / kept.sum()),
        "plane_overlap_best": float(best.mean()),
    }


def _means(measures: Sequence[dict[str, float]]) -> dict[str, float]:
    names = [name for name in MEASURES if all(name in one for one in measures)]
    return {name: sum(one[name] for one in measures) / len(measures) for name in names}
