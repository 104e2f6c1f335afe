r"""Similarity of two trained networks: the cosine of their weights, with null values.

.. math:: \cos(A, B) = \frac{\sum A \circ B}{\lVert A \rVert \lVert B \rVert}

over the weights of one layer, or of all layers together, without biases. Source: log, v1 ("weight
similarity between the two networks"). The log does not say whether it compares learned or effective
weights, so both are measured.

There are two null values. *Initial*: the same two networks before training, which share only the
distribution of their initial weights. *Permuted*: the first trained network and the second with its
hidden units permuted at random, which computes the same function; similarity above this null
means that units at the same index are similar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

PERMUTATIONS = 20
"""Number of random permutations over which the null value is averaged."""

Weights = Mapping[str, Tensor]
"""Weights (out, in) of consecutive layers by name, first to last."""


def cosine(first: Weights, second: Weights) -> dict[str, float]:
    """Cosine of two networks' weights, by layer and ``overall``, in [-1, 1], computed in float64.

    Raises
    ------
    ValueError : the networks differ in their layers or shapes, or one has only zeros, or weights
        that are not finite.
    """
    shapes = [{name: tuple(w.shape) for name, w in weights.items()} for weights in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"cannot compare networks: their shapes differ, {shapes[0]} and {shapes[1]}"
        )
    dots = {name: _dot(first[name], second[name]) for name in first}
    squares = [{name: _dot(w, w) for name, w in weights.items()} for weights in (first, second)]
    parts = {name: _ratio(dots[name], squares[0][name], squares[1][name]) for name in first}
    sums = [sum(values.values()) for values in (dots, *squares)]
    return {**parts, "overall": _ratio(*sums)}


def permute_hidden(generator: torch.Generator, *networks: Weights) -> list[dict[str, Tensor]]:
    """Permute the hidden units of all these networks at random, by the same permutation.

    Rows of a layer and columns of the next move together, so each network computes the same
    function as before.
    """
    renumbered: list[dict[str, Tensor]] = [{} for _ in networks]
    names = list(networks[0])
    columns: Tensor | None = None
    for name in names:
        out = networks[0][name].shape[0]
        rows = torch.randperm(out, generator=generator) if name != names[-1] else torch.arange(out)
        for old, new in zip(networks, renumbered, strict=True):
            weight = old[name] if columns is None else old[name][:, columns]
            new[name] = weight[rows]
        columns = rows
    return renumbered


def centre(weights: Weights) -> dict[str, Tensor]:
    """Subtract from the weights (out, in) the mean over the outputs, for every input."""
    return {name: weight - weight.mean(dim=0, keepdim=True) for name, weight in weights.items()}


def compare(
    learned: tuple[Weights, Weights],
    effective: tuple[Weights, Weights],
    initial: tuple[Weights, Weights],
    initial_effective: tuple[Weights, Weights],
    *,
    seed: int,
) -> dict[str, Any]:
    """Compute the cosines of learned (``raw``) and effective weights, and their null values.

    Parameters
    ----------
    learned, effective : the trained weights of the two networks.
    initial, initial_effective : the same before training.
    seed : seed of the random permutations.
    """
    generator = torch.Generator().manual_seed(seed)
    null: dict[str, list[float]] = {"raw": [], "effective": []}
    for _ in range(PERMUTATIONS):
        raw, acting = permute_hidden(generator, learned[1], effective[1])
        null["raw"].append(cosine(learned[0], raw)["overall"])
        null["effective"].append(cosine(effective[0], acting)["overall"])
    spread = {name: torch.tensor(values, dtype=torch.float64) for name, values in null.items()}
    return {
        "raw": cosine(*learned),
        "effective": cosine(*effective),
        "centred": {
            "raw": cosine(*map(centre, learned))["overall"],
            "effective": cosine(*map(centre, effective))["overall"],
        },
        "initial": {
            "raw": cosine(*initial)["overall"],
            "effective": cosine(*initial_effective)["overall"],
        },
        "permuted": {
            **{name: float(values.mean()) for name, values in spread.items()},
            **{f"{name}_sd": float(values.std()) for name, values in spread.items()},
            "times": PERMUTATIONS,
        },
    }


def _dot(first: Tensor, second: Tensor) -> float:
    return float((first.double() * second.double()).sum())


def _ratio(dot: float, first: float, second: float) -> float:
    if not math.isfinite(dot + first + second):
        raise ValueError("a network whose weights are not finite (a failed run) has no cosine")
    if first == 0.0 or second == 0.0:
        raise ValueError("the cosine of a network with only zeros is not defined")
    return dot / math.sqrt(first * second)
