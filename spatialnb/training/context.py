"""The state of a run in training, shared by the loop and the interventions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spatialnb.config.run import Run
from spatialnb.datasets import Dataset, Split
from spatialnb.training.evaluation import evaluate


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run in training.

    Parameters
    ----------
    run : the configuration.
    data : the data set, on the device.
    model, optimizer : the network, and the optimiser of all its parameters.
    distances : distances (out, in) of every layer that the prior acts on.
    order : generator for the batch order.
    generator : generator for the random numbers of interventions.
    """

    run: Run
    data: Dataset
    model: nn.Module
    optimizer: torch.optim.Optimizer
    distances: list[Tensor]
    order: torch.Generator
    generator: torch.Generator

    @property
    def images(self) -> int:
        """Number of training samples per epoch."""
        return training_images(self.run, self.data)

    @property
    def measured(self) -> tuple[str, Split]:
        """The split that is evaluated after every epoch, with its name."""
        return measured_split(self.run, self.data)

    @property
    def device(self) -> torch.device:
        """The device of the data and the network."""
        return self.data.train.y.device

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches per epoch, including a smaller last one."""
        return math.ceil(self.images / self.run.batch_size)

    @property
    def steps(self) -> int:
        """Number of batches in the whole training."""
        return self.run.epochs * self.steps_per_epoch

    def shuffled(self) -> Tensor:
        """Indices of the training samples in a new random order."""
        return torch.randperm(self.images, generator=self.order).to(self.device)

    def accuracy(self, model: nn.Module) -> float:
        """Accuracy in [0, 1] of a network on the split that is evaluated."""
        return evaluate(model, self.data, self.measured[1])[1]


def training_images(run: Run, data: Dataset) -> int:
    """How many training samples a run uses.

    Raises
    ------
    ValueError : the run needs more training samples than the data set has.
    """
    there, held_out = len(data.train.y), run.validation_size or 0
    needed = (run.train_size or 1) + held_out
    if needed > there:
        sizes = [size for size in ("train_size", "validation_size") if getattr(run, size)]
        raise ValueError(
            f"{' and '.join(sizes)}: {data.name} has only {there} training samples, not {needed}"
        )
    return run.train_size or there - held_out


def measured_split(run: Run, data: Dataset) -> tuple[str, Split]:
    """The split on which a run is evaluated, with its name: held-out training images, or test."""
    if not run.validation_size:
        return "test", data.test
    first = len(data.train.y) - run.validation_size
    return "validation", Split(x=data.train.x[first:], y=data.train.y[first:])
