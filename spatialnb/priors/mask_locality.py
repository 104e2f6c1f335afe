r"""How local a first layer's mask is in the image, compared with null masks and the nearest inputs.

For a mask (units, inputs) over an image:

- ``input_distance``: the mean distance between two inputs of a unit, over pairs, then over units.
  In $[0, 1]^2$ two random points are on average 0.52 apart.
- ``plane_overlap``: the fraction of its weights that are also in the local mask, in which every
  unit keeps the same number of its nearest inputs on the pixel grid. These connections have the
  largest values of any decreasing kernel.
- ``plane_overlap_best``: the same, with each unit at the grid position where the overlap is
  largest. The order of hidden units is arbitrary, so learned masks must be compared in this way.

Masks found by iterative magnitude pruning in fully connected networks are local: Pellegrini and
Biroli 2021, sifting out the features by pruning. The measures and the nulls here are this book's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialnb.priors.geometry import distance, grid, pixels
from spatialnb.priors.local_masks import nearest

MEASURES = ("input_distance", "plane_overlap", "plane_overlap_best")
"""Names of the measures described above."""
DRAWS = 5
"""Number of masks per null; a mean over hundreds of units hardly varies between draws."""
DEALS = 10
"""How many times each unit trades inputs with another; enough to mix those of hundreds of units."""


def locality(mask: Tensor, shape: Sequence[int], permuted: int | None = None) -> dict[str, float]:
    """Compute the locality measures of a mask.

    Parameters
    ----------
    mask : (units, inputs), bool, inputs flattened channel by channel.
    shape : of an image, (channels, height, width).
    permuted : as for :func:`spatialnb.priors.geometry.pixels`.

    Returns
    -------
    dict : by the names of :data:`MEASURES`; distances in units of the image's side, overlaps as
        fractions in [0, 1]. A measure is left out if no unit has enough inputs for it (two for the
        distance, one for the overlaps).

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
    """Means of the measures over null masks of three kinds.

    ``random``: every unit keeps the same number of inputs, chosen at random. ``popular``: in
    addition, every input is kept by the same number of units, to exclude that units look local only
    because all of them prefer the centre of the image. ``permuted``: the same mask with the image's
    pixels permuted, to exclude that units look local only because they keep the channels of a pixel
    together.

    Parameters
    ----------
    mask, shape, permuted : as for :func:`locality`.
    generator : the only source of randomness.
    draws : number of masks per null.
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
    """Redraw a mask (units, inputs) with the same number of inputs for every unit.

    With `popular`, every input also keeps its number of units: random pairs of units repeatedly
    redistribute the inputs that only one of the two keeps, without changing the number of inputs of
    either (the curveball algorithm). Strona et al. 2014.
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
    """A mask that is True at the n smallest scores of each row, n from `numbers` (rows, 1)."""
    places = torch.arange(scores.shape[1]).expand_as(scores)
    ranks = torch.empty_like(places).scatter_(1, scores.argsort(dim=1), places)
    return ranks < numbers


def _measured(mask: Tensor, places: Tensor, channels: int) -> dict[str, float]:
    return _distances(mask, places) | _overlaps(mask, places, channels)


def _distances(mask: Tensor, places: Tensor) -> dict[str, float]:
    there, at = torch.unique(places, dim=0, return_inverse=True)
    counts = torch.zeros(len(mask), len(there), dtype=torch.float64)
    counts.index_add_(1, at, mask.double())  # inputs of each unit at each position
    kept = counts.sum(dim=1)
    pairs = kept * (kept - 1.0)  # ordered pairs of distinct inputs
    total = (counts @ distance(there, there) * counts).sum(dim=1)
    means = total[pairs > 0.0] / pairs[pairs > 0.0]
    return {"input_distance": float(means.mean())} if len(means) else {}


def _overlaps(mask: Tensor, places: Tensor, channels: int) -> dict[str, float]:
    kept = mask.sum(dim=1)
    if not bool(kept.any()):
        return {}
    number = max(1, round(float(kept.double().mean()) / channels)) * channels
    plane = nearest(distance(grid(len(mask)), places), number, channels)
    shared = mask.double() @ plane.double().T  # of each unit, with each grid position
    best = shared.max(dim=1).values[kept > 0] / kept[kept > 0]
    return {
        "plane_overlap": float(shared.diagonal().sum() / kept.sum()),
        "plane_overlap_best": float(best.mean()),
    }


def _means(measures: Sequence[dict[str, float]]) -> dict[str, float]:
    names = [name for name in MEASURES if all(name in one for one in measures)]
    return {name: sum(one[name] for one in measures) / len(measures) for name in names}
