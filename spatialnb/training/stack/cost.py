"""The minimum work of a stack, in bytes and operations, for comparison with a device's rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.training import networks
from spatialnb.training.stack.functional import activations
from spatialnb.training.stack.kernels import without_prior

MOVED, WITH_PRIOR = 36, 8
"""Bytes per weight that one step must move: the forward pass reads the weight; the gradient is
written and read; the weight and two averages are read and written. With a prior, also the kernel
value is read and the effective weight is written."""
BYTES, LAYERS = 4, 6
"""Bytes of a number, and how many times a step reads or writes each activation."""


def operations(run: Run) -> float:
    """Operations of the linear layers' matrix products in one epoch, forward and backward.

    The first layer of a multilayer perceptron needs no gradient with respect to its inputs.
    """
    sizes = [layer[0] * layer[1] for layer in _shapes(run)]
    spared = sizes[0] if run.network is None else 0
    return 2.0 * _images(run) * (3 * sum(sizes) - spared)


def moved(run: Run) -> float:
    """Bytes that the steps of one epoch must move: weights and activations."""
    entry = edition(run.dataset)
    weights = sum(layer[0] * layer[1] for layer in _shapes(run))
    a_weight = MOVED + (0 if without_prior(run) else WITH_PRIOR)
    model = networks.initialise(run, entry.shape, entry.classes)
    given = activations(model, entry.shape)
    steps = math.ceil(_images(run) / run.batch_size)
    return float(a_weight * weights * steps + BYTES * LAYERS * given * _images(run))


def _shapes(run: Run) -> Sequence[tuple[int, int]]:
    entry = edition(run.dataset)
    model = networks.initialise(run, entry.shape, entry.classes)
    return [(part.out_features, part.in_features) for _, part in networks.linear_layers(model)]


def _images(run: Run) -> int:
    return run.train_size or edition(run.dataset).train - (run.validation_size or 0)
