r"""What a trained network's weights look like: a summary small enough to be recorded.

Weights themselves are not recorded. Of one network, layer by layer, this keeps the mean size
$|W|$ of its learned and of its effective weights by the distance that a connection spans, and a
coarse picture of $|W_\text{eff}|$. It is a look inside one run and decides no claim.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from spatialnb.analysis.similarity import Weights
from spatialnb.config.run import RECIPE, SCHEMA, Run, digest
from spatialnb.priors.geometry import layer_distance
from spatialnb.records.store import Record, Store, default_store

BINS = 32
"""Distances in [0, 1] are counted in so many bins of one width."""
ROWS, COLUMNS = 32, 96
"""Blocks of a picture, at most: 96 columns are the lines of pixels of a colour image of 32 × 32."""
DIGITS = 4
"""Significant digits of a picture's values."""


def weights_config(run: Run) -> dict[str, Any]:
    """What the record of a run's weights is asked for."""
    return {"schema": SCHEMA, "recipe": RECIPE, "measure": "weights", "run": run.id}


def weights_of(run: Run, store: Store | None = None) -> Record | None:
    """The record of a run's weights, or None. RecordError where the file is damaged."""
    return (store or default_store()).find(digest(weights_config(run))[:16], "weight")


def summarise(learned: Weights, effective: Weights) -> dict[str, Any]:
    """A network's weights by layer: their mean size by distance, and a coarse picture.

    Parameters
    ----------
    learned, effective : the weights (out, in) of the same layers by name.

    Returns
    -------
    dict : by layer, ``shape``; ``connections``, ``learned`` and ``effective``, a number a bin of
        distance (a mean of none is 0.0); and ``picture``, the effective weights' mean size in
        blocks, rows from the first output down.
    """
    return {name: _layer(learned[name].abs(), effective[name].abs()) for name in learned}


def _layer(learned: Tensor, effective: Tensor) -> dict[str, Any]:
    distance = layer_distance(*learned.shape)
    places = (distance * BINS).long().clamp(max=BINS - 1).flatten()
    connections = torch.bincount(places, minlength=BINS)

    def means(sizes: Tensor) -> list[float]:
        sums = torch.bincount(places, sizes.double().flatten(), BINS)
        values: list[float] = (sums / connections.clamp(min=1)).tolist()
        return values

    out, into = effective.shape
    blocks = (min(ROWS, out), min(COLUMNS, into))
    picture = adaptive_avg_pool2d(effective.double().unsqueeze(0), blocks).squeeze(0)
    return {
        "shape": [out, into],
        "connections": connections.tolist(),
        "learned": means(learned),
        "effective": means(effective),
        "picture": [[float(f"{value:.{DIGITS}g}") for value in row] for row in picture.tolist()],
    }
