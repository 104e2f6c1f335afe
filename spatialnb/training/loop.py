"""The training loop of one run.

It is deterministic: explicit generators, one thread, deterministic algorithms. The same
configuration gives bit-identical numbers on the same kind of machine and build of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from spatialnb import datasets
from spatialnb.config.intervention import Part
from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.priors.schedules import progress
from spatialnb.training import backprop, optimizers
from spatialnb.training.build import prepared, sparsity
from spatialnb.training.context import Training
from spatialnb.training.determinism import deterministic
from spatialnb.training.evaluation import batches, evaluate, predictions
from spatialnb.training.history import History
from spatialnb.training.interventions import table


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a run: its outcome as recorded, the network, and its answers.

    `outcome` is plain JSON data: ``status``, which is ``finished`` or ``failed``; ``epochs``, a
    list per quantity with one number per epoch, such as ``outcome["epochs"]["test_accuracy"]``; and
    ``final``. `answers` are the predicted classes of all evaluated samples, by edition; empty if
    the run failed.
    """

    outcome: dict[str, Any]
    model: nn.Module
    answers: dict[str, list[int]] = field(default_factory=dict)


def train(
    run: Run,
    data: Dataset | None = None,
    on_epoch: Callable[[int], None] | None = None,
    device: str = "cpu",
) -> Trained:
    """Train one network according to its configuration.

    Parameters
    ----------
    run : the configuration.
    data : the data set, if already loaded; it must be the edition that `run` names.
    on_epoch : called after each epoch with the number of epochs done.
    device : a torch device, such as ``cuda``. Random numbers are drawn on the CPU for every device,
        so initialisation and batch order are the same everywhere; only rounding differs.

    Returns
    -------
    Trained : per epoch, the training loss (mean cross-entropy over the epoch's steps, without
        penalties), the test loss and the test accuracy in [0, 1] (named validation loss and
        accuracy if images are held out), and other quantities that the run's interventions measure;
        at the end, the fraction of kernel values below 0.1, and what interventions add. A loss that
        is not finite ends the run as ``failed``, with the epoch.
    """
    data = datasets.load(run.dataset) if data is None else data
    if data.name != run.dataset:
        raise ValueError(f"the run needs the data {run.dataset!r}, got {data.name!r}")
    with deterministic():
        return _train(run, data, on_epoch or (lambda epoch: None), torch.device(device))


def _train(
    run: Run, data: Dataset, on_epoch: Callable[[int], None], device: torch.device
) -> Trained:
    training = prepared(run, data.scaled(run.input_scaling).to(device))
    parts = [intervention.begin(training) for intervention in table.asked_by(run)]
    stepper = _Stepper(training, parts)
    name, split = training.measured
    history = History(("train_loss", f"{name}_loss", f"{name}_accuracy"))

    for epoch in range(run.epochs):
        for part in parts:
            part.start_epoch(progress(epoch, run.epochs))
        train_loss = _one_epoch(training, stepper)
        loss, accuracy = evaluate(training.model, training.data, split)
        measured = {"train_loss": train_loss, f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        for part in parts:
            measured |= part.measure()
        if not history.add(epoch, measured):
            break
        on_epoch(epoch + 1)

    outcome = history.outcome({"sparsity": sparsity(run, training.model, training.distances)})
    answers = {}
    if outcome["status"] == "finished":
        for part in parts:
            part.finish(outcome)
        answers[data.name] = predictions(training.model, training.data, split)
    return Trained(outcome=outcome, model=training.model.cpu(), answers=answers)


def _one_epoch(training: Training, stepper: _Stepper) -> float:
    """Train on every sample once; returns the mean loss over the epoch's steps."""
    data, total = training.data, torch.zeros((), dtype=torch.float64, device=training.device)
    for index in batches(training.shuffled(), training.run.batch_size):
        loss = stepper.step(data.inputs(data.train, index), data.train.y[index])
        total += loss.double() * len(index)
    return float(total) / training.images


class _Stepper:
    """A training step: gradients, optimiser, learning rate, and the hooks of the interventions."""

    def __init__(self, training: Training, parts: Sequence[Part]) -> None:
        penalties = [part.penalty for part in parts if part.overrides("penalty")]
        smoothing = training.run.label_smoothing or 0.0
        self._gradients = backprop.loss_and_gradients(training.model, penalties, smoothing)
        self._augment = [part.augment for part in parts if part.overrides("augment")]
        self._optimizer = training.optimizer
        self._before = [part.before_step for part in parts if part.overrides("before_step")]
        self._after = [part.after_step for part in parts if part.overrides("after_step")]
        self._rate = optimizers.schedule(training.run, training.optimizer, training.steps)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Train on a batch; returns its mean cross-entropy, without penalties."""
        for augment in self._augment:
            x = augment(x)
        loss = self._gradients(x, y)
        wanted = [before() is not False for before in self._before]
        if all(wanted):
            self._optimizer.step()
        for after in self._after:
            after()
        if self._rate is not None:
            self._rate.step()
        return loss
