"""Measures that compare the trained networks of two runs, for the record of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb import datasets
from spatialnb.analysis import alignment, similarity
from spatialnb.analysis.alignment import Layer
from spatialnb.config.run import Run
from spatialnb.datasets import Dataset, Split
from spatialnb.priors import geometry, parametrization
from spatialnb.training import networks
from spatialnb.training.build import build
from spatialnb.training.determinism import deterministic

TRAIN_IMAGES = 10_000
"""How many training images, from the first on, give the statistics for REPAIR."""

Kept = Mapping[str, Tensor]
"""Tensors kept from a trained network: learned weights (out, in) by layer, biases as ``0.bias``."""
Measure = Callable[[Run, Run, Kept, Kept], dict[str, Any]]
"""From two runs, and the tensors kept from them, to the outcome that is recorded."""


def keep(model: nn.Module) -> dict[str, Tensor]:
    """Copy the learned weights and biases of a model's linear layers."""
    biases = {f"{name}.bias": layer.bias for name, layer in networks.linear_layers(model)}
    return {**learned(model), **{name: bias.detach().clone() for name, bias in biases.items()}}


def learned(model: nn.Module) -> dict[str, Tensor]:
    """Copy the learned weights (out, in) by layer."""
    return {
        name: parametrization.learned_weight(layer).detach().clone()
        for name, layer in networks.linear_layers(model)
    }


def untrained(run: Run) -> nn.Module:
    """The network of a run before training."""
    edition = datasets.edition(run.dataset)  # the shape alone is needed, not the data
    return build(run, edition.shape, edition.classes)


def trained(run: Run, kept: Kept) -> nn.Module:
    """The network of a run after training."""
    model = untrained(run)
    for name, layer in networks.linear_layers(model):
        parametrization.learned_weight(layer).data.copy_(kept[name])
        layer.bias.data.copy_(kept[f"{name}.bias"])
    if any(True for _ in parametrization.spatial_priors(model)):
        parametrization.step(model, run.schedule, 1.0)
    return model


def similar(first: Run, second: Run, *kept: Kept) -> dict[str, Any]:
    """Cosines of weights without alignment: :func:`spatialnb.analysis.similarity.compare`."""
    after = [trained(run, one) for run, one in zip((first, second), kept, strict=True)]
    before = [untrained(run) for run in (first, second)]
    a, b = ([read(model) for model in after] for read in (learned, networks.effective_weights))
    c, d = ([read(model) for model in before] for read in (learned, networks.effective_weights))
    return similarity.compare(
        (a[0], a[1]), (b[0], b[1]), (c[0], c[1]), (d[0], d[1]), seed=_seed(first, second)
    )


def aligned(first: Run, second: Run, *kept: Kept) -> dict[str, Any]:
    """Similarity after aligning hidden units: :func:`spatialnb.analysis.alignment.compare`."""
    with deterministic():
        return _aligned(first, second, *kept)


MEASURES: dict[str, Measure] = {"similarity": similar, "alignment": aligned}
"""All measures, by the name used in a pair's record."""


def _aligned(first: Run, second: Run, *kept: Kept) -> dict[str, Any]:
    data = datasets.load(first.dataset)
    after = [trained(run, one) for run, one in zip((first, second), kept, strict=True)]
    a, b = (_network(model) for model in after)
    c, d = (_network(untrained(run)) for run in (first, second))
    place = geometry.positions if first.positions is None else geometry.grid
    images = min(TRAIN_IMAGES, first.train_size or TRAIN_IMAGES, len(data.train.y))
    return alignment.compare(
        (a, b),
        _dealt(after[1], _seed(second, first)),
        (c, d),
        (_inputs(data, data.test, len(data.test.y)), data.test.y),
        _inputs(data, data.train, images),
        [place(width) for width in first.hidden],
        seed=_seed(first, second),
    )


def _network(model: nn.Module) -> list[Layer]:
    """Effective weights and biases, layer by layer."""
    return [
        Layer(layer.weight.detach().clone(), layer.bias.detach().clone())
        for _, layer in networks.linear_layers(model)
    ]


def _dealt(model: nn.Module, seed: int) -> list[Layer]:
    """Effective weights of a model whose learned weights are scrambled; changes the model."""
    layers = [layer for _, layer in networks.linear_layers(model)]
    plain = [
        Layer(parametrization.learned_weight(layer).detach(), layer.bias.detach())
        for layer in layers
    ]
    dealt = alignment.scramble_units(plain, torch.Generator().manual_seed(seed))
    for layer, (weight, bias) in zip(layers, dealt, strict=True):
        parametrization.learned_weight(layer).data.copy_(weight)
        layer.bias.data.copy_(bias)
    return _network(model)


def _inputs(data: Dataset, split: Split, count: int) -> Tensor:
    """The first inputs (count, features) of a split."""
    return data.inputs(split, torch.arange(count))


def _seed(first: Run, second: Run) -> int:
    return first.seed * 100_003 + second.seed
