"""Compare training with an attached prior and with the prior folded into the optimiser.

A step-by-step demonstration in double precision, on a small data set that needs no download, for
chapter c1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb import datasets
from spatialnb.priors import parametrization
from spatialnb.priors.folded_optimizer import PARTS, Folded, start
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.schedules import Schedule, progress
from spatialnb.training import networks
from spatialnb.training.determinism import deterministic

OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "Adam": lambda model: torch.optim.Adam(model.parameters(), lr=3e-3),
    "SGD": lambda model: torch.optim.SGD(model.parameters(), lr=0.05),
    "SGD with momentum": lambda model: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
}
"""Optimisers by name."""

DATASET, HIDDEN, BATCH = "quick-colours", (32, 16), 64


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two training runs from the same initialisation, with the same batches.

    `moved` is the largest change of any effective weight from the first step to the last, with the
    prior attached. `apart` is the largest difference of any effective weight between the two, at
    any step.
    """

    schedule: str
    optimizer: str
    parts: str
    moved: float
    apart: float


def compare(
    schedules: Mapping[str, Schedule],
    optimizers: Sequence[str] = tuple(OPTIMIZERS),
    parts: Sequence[Sequence[str]] = (PARTS,),
    epochs: int = 4,
    steps: int = 15,
) -> list[Comparison]:
    """Train each combination twice, with the prior attached and with parts of it folded.

    Parameters
    ----------
    schedules : by name.
    optimizers : names of :data:`OPTIMIZERS`.
    parts : sets of :data:`spatialnb.priors.actions.PARTS`.
    epochs, steps : number of epochs (the kernel changes at the start of each), and steps per epoch.
    """
    with deterministic():
        return list(_compare(schedules, optimizers, parts, epochs, steps))


def _compare(
    schedules: Mapping[str, Schedule],
    optimizers: Sequence[str],
    parts: Sequence[Sequence[str]],
    epochs: int,
    steps: int,
) -> Iterator[Comparison]:
    for (name, schedule), optimizer in itertools.product(schedules.items(), optimizers):
        first, *path = _attached(schedule, optimizer, epochs, steps)
        for chosen in parts:
            other = _folded(schedule, optimizer, tuple(chosen), epochs, steps)
            yield Comparison(
                schedule=name,
                optimizer=optimizer,
                parts=", ".join(chosen),
                moved=_farthest(first, path[-1]),
                apart=max(itertools.starmap(_farthest, zip(path, other, strict=True))),
            )


def mean_strengths(schedule: Schedule, epochs: int, shape: tuple[int, int]) -> list[float]:
    """The mean kernel value of a layer (out, in) in every epoch."""
    between = layer_distance(*shape)
    kernels = [schedule.at(progress(epoch, epochs)) for epoch in range(epochs)]
    return [float(kernel.strength(between).mean()) for kernel in kernels]


def without_each() -> list[tuple[str, ...]]:
    """The full set of parts, and every set that leaves out one part."""
    return [PARTS, *(tuple(part for part in PARTS if part != out) for out in PARTS)]


def _attached(
    schedule: Schedule, optimizer: str, epochs: int, steps: int
) -> Iterator[list[Tensor]]:
    """Effective weights at initialisation and after every step, with the prior attached."""
    model = parametrization.attach(_network(), schedule)
    torch_optimizer = OPTIMIZERS[optimizer](model)
    yield _weights(model)
    for epoch in range(epochs):
        parametrization.step(model, schedule, progress(epoch, epochs))
        for batch in _batches(steps):
            _backward(model, batch)
            torch_optimizer.step()
            yield _weights(model)


def _folded(
    schedule: Schedule, optimizer: str, parts: tuple[str, ...], epochs: int, steps: int
) -> Iterator[list[Tensor]]:
    """Weights after every step, with the parts folded into the optimiser."""
    model, kernel = _network(), schedule.at(progress(0, epochs))
    if "start" in parts:
        start(model, kernel)
    folded = Folded(model, OPTIMIZERS[optimizer](model), kernel, parts)
    for epoch in range(epochs):
        folded.set_kernel(schedule.at(progress(epoch, epochs)))
        for batch in _batches(steps):
            _backward(model, batch)
            folded.step()
            yield _weights(model)


def _network() -> nn.Sequential:
    data = datasets.load(DATASET)
    generator = torch.Generator().manual_seed(0)
    return networks.mlp(data.train.x.shape[1], HIDDEN, data.classes, generator).double()


def _batches(steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    data = datasets.load(DATASET)
    index = torch.randperm(len(data.train.y), generator=torch.Generator().manual_seed(1))
    for step in range(steps):
        batch = index.roll(-step * BATCH)[:BATCH]
        yield data.inputs(data.train, batch).double(), data.train.y[batch]


def _backward(model: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    model.zero_grad()
    cross_entropy(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]


def _weights(model: nn.Module) -> list[Tensor]:
    return list(networks.effective_weights(model).values())


def _farthest(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
