"""Sparse rows to a dense tensor. Apart from `text`, so that a cached load needs no scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def dense_rows(tensors: Mapping[str, Tensor], split: str, features: int) -> Tensor:
    """A split's rows (n, features) float32: 0.5 GB for each split of IMDB, in each process."""
    starts = tensors[f"{split}.starts"]
    x = torch.zeros(len(starts) - 1, features)
    row = torch.repeat_interleave(torch.arange(len(x)), starts.diff())
    x[row, tensors[f"{split}.columns"].long()] = tensors[f"{split}.values"]
    return x
