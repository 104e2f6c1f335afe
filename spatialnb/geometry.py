"""Where neurons are, and how far a connection reaches.

Source: report, "Idea" ("biases connections based on neuron position"); the positions themselves are
this book's reading, because the report prints none: evenly spaced on [0, 1] gives its sparsities.
"""

from __future__ import annotations

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
        return torch.full((1, 1), 0.5, dtype=torch.float64)
    return torch.linspace(0.0, 1.0, neurons, dtype=torch.float64).unsqueeze(1)


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
