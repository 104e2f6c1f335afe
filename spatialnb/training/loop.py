"""One run: the loop.

Deterministic: explicit generators, one thread, deterministic algorithms. The same configuration
gives the same numbers bit for bit on the same kind of machine and build of torch.
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
    """What a run leaves: its outcome, as recorded, the network, and its answers.

    `outcome` is plain JSON data: ``status``, ``finished`` or ``failed``; ``epochs``, by quantity a
    list with one number an epoch, such as ``outcome["epochs"]["test_accuracy"]``; and ``final``.
    `answers` are the class of every sample that is measured, by edition; none where a run failed.
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
    """Train one network as its configuration says.

    Parameters
    ----------
    run : the configuration.
    data : the data set, where it is loaded already; it must be the edition that `run` names.
    on_epoch : called with the number of epochs done after each.
    device : as torch calls it, such as ``cuda``. Chance is the processor's on every device, so a
        run has the same start and order everywhere; rounding differs.

    Returns
    -------
    Trained : per epoch, mean training loss (cross-entropy, over the epoch as it went, without the
        decay penalty), test loss and test accuracy in [0, 1], called validation loss and accuracy
        where images are held out, and whatever else the run's interventions measure; at the end,
        the share of kernel values under 0.1, and what they add to it. A loss that is not finite
        ends the run as ``failed``, with the epoch.
    """
    data = datasets.load(run.dataset) if data is None else data
    if data.name != run.dataset:
        raise ValueError(f"the run asks for {run.dataset!r}, the data given is {data.name!r}")
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
    """Train on every sample once; the mean loss over the epoch as it went."""
    data, total = training.data, torch.zeros((), dtype=torch.float64, device=training.device)
    for index in batches(training.shuffled(), training.run.batch_size):
        loss = stepper.step(data.inputs(data.train, index), data.train.y[index])
        total += loss.double() * len(index)
    return float(total) / training.images


class _Stepper:
    """One step of training: gradients, optimiser and learning rate, and the parts that act here."""

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
        """Train on a batch; its mean cross-entropy, without penalties."""
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
