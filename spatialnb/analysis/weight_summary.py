r"""A summary of a trained network's weights that is small enough to be recorded.

The weights themselves are not recorded. For each layer of one network, the summary contains the
mean magnitude $|W|$ of its learned and effective weights as a function of the distance that a
connection spans, and a coarse picture of $|W_\text{eff}|$. It describes a single run and decides no
claim.
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
"""Number of equally wide bins of the distance in [0, 1]."""
ROWS, COLUMNS = 32, 96
"""Largest number of blocks in a picture; a 32 × 32 colour image has 96 = 3 · 32 rows of pixels."""
DIGITS = 4
"""Significant digits of the values in a picture."""


def weights_config(run: Run) -> dict[str, Any]:
    """The configuration of the record of a run's weights."""
    return {"schema": SCHEMA, "recipe": RECIPE, "measure": "weights", "run": run.id}


def weights_of(run: Run, store: Store | None = None) -> Record | None:
    """The record of a run's weights, or None. RecordError if the file is damaged."""
    return (store or default_store()).find(digest(weights_config(run))[:16], "weight")


def summarise(learned: Weights, effective: Weights) -> dict[str, Any]:
    """Summarise a network's weights by layer: mean magnitude by distance, and a coarse picture.

    Parameters
    ----------
    learned, effective : the weights (out, in) of the same layers by name.

    Returns
    -------
    dict : by layer, ``shape``; ``connections``, ``learned`` and ``effective``, the number of
        connections and the mean magnitudes in each bin of distance (0.0 if a bin is empty); and
        ``picture``, the mean magnitude of effective weights in blocks, rows from the first output
        down.
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
