"""How much memory a stack takes on its device, and how many runs fit."""

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
"""Bytes of a number in single precision, and of a place in an order of images."""
COPIES, WITH_PRIOR = 4, 2
"""Of a weight: itself, its gradient and Adam's two averages; kernel value and effective weight."""
PASSES, BY_AUTOGRAD = 3, 8
"""Copies of what the layers give for a batch, where gradients are written out and where not."""
MEASURED = 2**28
"""Numbers that the layers may give at once while a stack is measured: 1 GiB."""
SHARE = 0.8
"""Of the memory that is free; the rest is for what torch keeps aside."""


def bytes_per_run(run: Run) -> int:
    """Bytes of device memory that one more run takes."""
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
    """How many runs like this one fit into so many bytes of free memory, at least one."""
    left = SHARE * free - data_bytes(edition(run.dataset)) - 3 * BYTES * MEASURED
    return max(1, int(left) // bytes_per_run(run))


def data_bytes(entry: Edition) -> int:
    """Bytes of an edition on a device, where its inputs stand in single precision."""
    return BYTES * entry.features * (entry.train + entry.test)


def chunk(model: nn.Module, shape: Sequence[int], runs: int, most: int) -> int:
    """How many samples a stack is measured on at once, `most` or fewer."""
    return max(1, min(most, MEASURED // (runs * activations(model, shape))))


def free_bytes(device: str) -> int:
    """Free memory of a CUDA device, in bytes."""
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return int(free)
