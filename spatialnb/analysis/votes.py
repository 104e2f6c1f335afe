"""What networks answer, image by image: accuracy by class, agreement, and the vote of many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.uint8]
"""Classes of images: (N,) the true ones or those of one network, (S, N) those of S networks."""


def counts(given: Classes, classes: int) -> NDArray[np.int64]:
    """How many of S networks give each class to each image: (N, classes) from (S, N).

    Raises
    ------
    ValueError : not a table of networks and images.
    """
    if given.ndim != 2 or not given.size:
        raise ValueError(f"expected answers (networks, images), got {given.shape}")
    return np.stack([(given == one).sum(axis=0) for one in range(classes)], axis=1)


def vote(given: Classes, classes: int) -> Classes:
    """The class that most networks give, (N,) from (S, N); of two that tie, the lower one."""
    most: Classes = counts(given, classes).argmax(axis=1).astype(np.uint8)
    return most


def agreement(given: Classes, classes: int) -> float:
    """Share of images to which two networks give the same class, in the mean over all pairs.

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
    """Share of each class's images that get it, (S, classes) from answers (S, N) and classes (N,).

    NaN for a class without images.
    """
    right = given == true
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(
            [right[:, true == one].sum(axis=1) / (true == one).sum() for one in range(classes)],
            axis=1,
        )
