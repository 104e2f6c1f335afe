"""Memory of a stack on its device, and how many runs fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from spatialnb.config.run import Run
from spatialnb.datasets import Edition, edition
from spatialnb.training import networks
from spatialnb.training.stack.functional import activations
from spatialnb.training.stack.kernels import without_prior
from spatialnb.training.stack.sharing import is_plain

BYTES, WHOLE_NUMBER = 4, 8
"""Bytes of a number in single precision, and of an index in the order of images."""
COPIES, WITH_PRIOR = 4, 2
"""Numbers per weight: the weight, its gradient and Adam's two averages; with a prior, also the
kernel value and the effective weight."""
PASSES, BY_AUTOGRAD = 3, 8
"""Copies of the activations of a batch, with explicit gradients and with autograd."""
MEASURED = 2**28
"""Maximum number of activations at a time during evaluation of a stack: 1 GiB."""
SHARE = 0.8
"""Fraction of the free memory that is used; the rest is for torch's own cache."""


def bytes_per_run(run: Run) -> int:
    """Bytes of device memory per run."""
    entry = edition(run.dataset)
    model = networks.initialise(run, entry.shape, entry.classes)
    weights = sum(parameter.numel() for parameter in model.parameters())
    prior = sum(layer.weight.numel() for _, layer in networks.prior_layers(model))
    plain = is_plain(run)
    kept = (COPIES + (not plain)) * weights + (0 if without_prior(run) else WITH_PRIOR * prior)
    given = (PASSES if plain else BY_AUTOGRAD) * activations(model, entry.shape)
    batch = run.batch_size * (entry.features + given)
    return BYTES * (kept + batch) + WHOLE_NUMBER * (run.train_size or entry.train)


def fitting(run: Run, free: int) -> int:
    """How many runs like this one fit into `free` bytes of memory; at least one."""
    left = SHARE * free - data_bytes(edition(run.dataset)) - 3 * BYTES * MEASURED
    return max(1, int(left) // bytes_per_run(run))


def data_bytes(entry: Edition) -> int:
    """Bytes of an edition on a device, with inputs in single precision."""
    return BYTES * entry.features * (entry.train + entry.test)


def chunk(model: nn.Module, shape: Sequence[int], runs: int, most: int) -> int:
    """The number of samples per forward pass when a stack is evaluated, at most `most`."""
    return max(1, min(most, MEASURED // (runs * activations(model, shape))))


def free_bytes(device: str) -> int:
    """Free memory of a CUDA device, in bytes."""
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return int(free)
