"""Train one run on two tasks, with both losses in every step. Log, v7."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.config.run import Run, SecondTask
from spatialnb.datasets import Dataset
from spatialnb.priors import parametrization
from spatialnb.priors.schedules import progress
from spatialnb.training import networks, optimizers
from spatialnb.training.determinism import deterministic, generator
from spatialnb.training.evaluation import batches, evaluate, predictions
from spatialnb.training.history import History
from spatialnb.training.loop import Trained

SECOND = ":second"
"""Suffix of the second task's quantities; those of the first task have no suffix."""


def train(
    run: Run,
    data: tuple[Dataset, Dataset],
    on_epoch: Callable[[int], None] | None = None,
    device: str = "cpu",
) -> Trained:
    """Train one network on two tasks, or two separate networks, according to the configuration.

    Every step uses a batch of each task, and the losses are added. An epoch is one pass over the
    larger training split; the smaller one is repeated, in a new order each time. The tasks see the
    same samples whether or not they share layers.

    Parameters
    ----------
    run : a configuration with a second task.
    data : the data sets of the two tasks, in order.
    on_epoch, device : as in :func:`spatialnb.training.loop.train`.

    Raises
    ------
    ValueError : the run has no second task, or the data are other editions.
    """
    second = run.second
    if second is None or (run.dataset, second.dataset) != (data[0].name, data[1].name):
        asked = (run.dataset, second and second.dataset)
        raise ValueError(f"the run needs the data {asked}, got {[d.name for d in data]}")
    with deterministic():
        there = (data[0].to(torch.device(device)), data[1].to(torch.device(device)))
        return _train(run, second, there, on_epoch or (lambda epoch: None))


def build(run: Run, second: SecondTask, data: tuple[Dataset, Dataset]) -> networks.TwoTask:
    """The network of a run; the prior is attached to shared layers, if there are any."""
    model = networks.TwoTask(
        (data[0].train.x.shape[1], data[1].train.x.shape[1]),
        run.hidden,
        (data[0].classes, data[1].classes),
        shared=second.shared,
        generator=generator(run.seed, "initialisation"),
    )
    if second.shared:
        parametrization.attach(model.trunks, run.schedule, action=run.action)
    return model


def _train(
    run: Run,
    second: SecondTask,
    data: tuple[Dataset, Dataset],
    on_epoch: Callable[[int], None],
) -> Trained:
    device = data[0].train.y.device
    model = build(run, second, data).to(device)
    optimizer = optimizers.make(run, model)
    orders = (generator(run.seed, "order"), generator(run.seed, "second order"))
    sizes = [len(task.train.y) for task in data]
    larger = sizes.index(max(sizes))
    steps = math.ceil(sizes[larger] / run.batch_size)
    streams = [
        _stream(size, run.batch_size, order, device)
        for size, order in zip(sizes, orders, strict=True)
    ]
    history = History()

    for epoch in range(run.epochs):
        strengths = _strengths(model, run, second, progress(epoch, run.epochs))
        totals, counts = [0.0, 0.0], [0, 0]
        for _ in range(steps):
            losses = []
            for task in (0, 1):
                _use(model, strengths[task])
                index, split = next(streams[task]), data[task].train
                logits = model(data[task].inputs(split, index), task)
                losses.append(cross_entropy(logits, split.y[index]))
                totals[task] += float(losses[task].detach()) * len(index)
                counts[task] += len(index)
            optimizer.zero_grad()
            (losses[0] + losses[1]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        measured: dict[str, float] = {}
        for task, suffix in enumerate(("", SECOND)):
            _use(model, strengths[task])
            measured[f"train_loss{suffix}"] = totals[task] / counts[task]
            loss, accuracy = evaluate(_Task(model, task), data[task], data[task].test)
            measured |= {f"test_loss{suffix}": loss, f"test_accuracy{suffix}": accuracy}
        if not history.add(epoch, measured):
            break
        on_epoch(epoch + 1)
    answers = {}
    if history.failed_epoch is None:
        for task, one in enumerate(data):
            _use(model, strengths[task])
            answers[one.name] = predictions(_Task(model, task), one, one.test)
    return Trained(outcome=history.outcome({}), model=model.cpu(), answers=answers)


def _stream(
    size: int, batch_size: int, order: torch.Generator, device: torch.device
) -> Iterator[Tensor]:
    """An endless stream of batches, in a new order for each pass over the data."""
    while True:
        yield from batches(torch.randperm(size, generator=order).to(device), batch_size)


def _strengths(
    model: nn.Module, run: Run, second: SecondTask, progress: float
) -> tuple[list[Tensor], list[Tensor]]:
    """The kernel values of the shared layers for each task; empty lists if none are shared."""
    found = []
    for schedule in (run.schedule, second.schedule):
        if second.shared:
            parametrization.step(model, schedule, progress)
        found.append([part.strength.clone() for _, part in parametrization.spatial_priors(model)])
    return found[0], found[1]


def _use(model: nn.Module, strengths: list[Tensor]) -> None:
    """Use these kernel values in the shared layers.

    The tensors are exchanged, not copied into, because the backward pass still needs those of the
    other task.
    """
    for (_, part), strength in zip(parametrization.spatial_priors(model), strengths, strict=True):
        part.strength = strength


class _Task(nn.Module):
    """One task of the network, as a module of one argument."""

    def __init__(self, model: networks.TwoTask, task: int) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x, self.task)
        return logits
