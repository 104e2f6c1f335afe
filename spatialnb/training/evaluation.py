"""Loss and accuracy of a network on a split."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.datasets import Dataset, Split

CHUNK = 2000
"""Number of test samples per forward pass."""


def batches(index: Tensor, size: int) -> Iterator[Tensor]:
    """Split an index into pieces of `size`; the last one may be smaller."""
    for start in range(0, len(index), size):
        yield index[start : start + size]


def chunks(data: Dataset, split: Split) -> Iterator[Tensor]:
    """The inputs of a split, piece by piece."""
    for index in batches(torch.arange(len(split.y), device=split.y.device), CHUNK):
        yield data.inputs(split, index)


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset, split: Split) -> tuple[float, float]:
    """Mean cross-entropy, and accuracy in [0, 1], of a model on a split."""
    loss = torch.zeros((), dtype=torch.float64, device=split.y.device)
    right = 0
    with parametrized_once():
        for index in batches(torch.arange(len(split.y), device=split.y.device), CHUNK):
            logits, targets = model(data.inputs(split, index)), split.y[index]
            loss += cross_entropy(logits, targets, reduction="sum").double()
            right += int((logits.argmax(dim=1) == targets).sum())
    return float(loss) / len(split.y), right / len(split.y)


@torch.no_grad()
def predictions(model: nn.Module, data: Dataset, split: Split) -> list[int]:
    """The class that a model predicts for every sample of a split."""
    with parametrized_once():
        found = [model(x).argmax(dim=1).cpu() for x in chunks(data, split)]
    classes: list[int] = torch.cat(found).tolist()
    return classes


def parametrized_once() -> contextlib.AbstractContextManager[None]:
    """Compute each effective weight only once inside; use it where weights do not change."""
    return nn.utils.parametrize.cached()
