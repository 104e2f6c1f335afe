"""Compare networks by their predicted classes: majority vote, agreement, accuracy by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.uint8]
"""Classes of N images: true ones or one network's predictions (N,), or S networks' (S, N)."""


def counts(given: Classes, classes: int) -> NDArray[np.int64]:
    """How many of S networks predict each class of each image: (N, classes) from (S, N).

    Raises
    ------
    ValueError : `given` is not (networks, images), or is empty.
    """
    if given.ndim != 2 or not given.size:
        raise ValueError(f"expected answers (networks, images), got {given.shape}")
    return np.stack([(given == one).sum(axis=0) for one in range(classes)], axis=1)


def vote(given: Classes, classes: int) -> Classes:
    """The class that most networks predict, (N,) from (S, N); ties go to the lower class."""
    most: Classes = counts(given, classes).argmax(axis=1).astype(np.uint8)
    return most


def agreement(given: Classes, classes: int) -> float:
    """Fraction of images on which two networks agree, averaged over all pairs of networks.

    Raises
    ------
    ValueError : fewer than two networks.
    """
    networks = len(given)
    if networks < 2:
        raise ValueError(f"agreement: expected at least two networks, got {networks}")
    same = counts(given, classes)
    return float((same * (same - 1)).sum(axis=1).mean() / (networks * (networks - 1)))


def accuracy_by_class(given: Classes, true: Classes, classes: int) -> NDArray[np.float64]:
    """Each network's accuracy on each class, (S, classes), from predictions (S, N) and `true` (N,).

    NaN for a class without images.
    """
    right = given == true
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(
            [right[:, true == one].sum(axis=1) / (true == one).sum() for one in range(classes)],
            axis=1,
        )
