r"""Many runs as one program: the weights of all of them stand in one tensor a layer.

For seeds, arms and learning rates of one architecture. Every run keeps its own initialisation,
batch order, kernel and learning rate, so that a run comes out as the loop of
:mod:`spatialnb.training.loop` has it, but for the rounding of batched products: close, and not the
same bits. Data stay on the device, and nothing waits for it within an epoch. Records say which
engine made them; the published ones are the loop's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from spatialnb.config import lr_schedules
from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.priors.kernels import Uniform
from spatialnb.priors.schedules import progress
from spatialnb.registry import encode
from spatialnb.training import networks
from spatialnb.training.build import sparsity
from spatialnb.training.context import measured_split, training_images
from spatialnb.training.determinism import deterministic, generator
from spatialnb.training.evaluation import CHUNK, batches
from spatialnb.training.history import History

ENGINE = "stacked"
"""How records call this engine; without a name they are the loop's."""
BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Adam's, as in the loop."""
OWN = ("seed", "schedule", "learning_rate", "learning_rate_decay", "positions", "permuted_pixels")
"""Settings that each run of a stack may have for itself."""
SHARED = ("dataset", "train_size", "validation_size", "hidden", "action", "optimizer")
"""Settings that a stack has in common, with ``batch_size`` and ``epochs``."""


def stackable(run: Run) -> bool:
    """Whether this engine knows everything that the run asks for: other runs are the loop's."""
    return not unknown_settings(run)


def unknown_settings(run: Run) -> list[str]:
    """What this engine does not know of a run: the names of settings, in order."""
    known = {*OWN, *SHARED, "batch_size", "epochs"}
    plain = Run()
    asked = {name for name, value in vars(run).items() if value != getattr(plain, name)} - known
    asked |= {"action"} if run.action != "multiply" else set()
    return sorted(asked | ({"optimizer"} if run.optimizer != "adam" else set()))


def stacks(runs: Iterable[Run], most: int) -> list[list[Run]]:
    """Runs that can share a program, in groups of at most `most`, in their order.

    Raises
    ------
    ValueError : a run that is not :func:`stackable`, or `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"a stack has at least 1 run, got {most}")
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if not stackable(run):
            raise ValueError(f"run {run.id} cannot be stacked; train it in the loop")
        shared = {name: value for name, value in encode(run).items() if name not in OWN}
        groups.setdefault(str(shared), []).append(run)
    return [
        group[start : start + most]
        for group in groups.values()
        for start in range(0, len(group), most)
    ]


def train(
    runs: Sequence[Run],
    data: Dataset,
    on_epoch: Callable[[int], None] | None = None,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Train a stack as :func:`stacks` gives it: the outcomes, in order, as the loop records them.

    Parameters
    ----------
    runs : of one architecture; they may differ in :data:`OWN`.
    data : the data set that they name.
    on_epoch : called with the number of epochs done after each.
    device : as torch calls it, such as ``cpu`` or ``cuda``.

    Raises
    ------
    ValueError : runs that do not share a program, or data of another edition.
    """
    if len(stacks(runs, len(runs) or 1)) != 1:
        raise ValueError("these runs do not share a program; group them by stacks() first")
    if data.name != runs[0].dataset:
        raise ValueError(f"the runs ask for {runs[0].dataset!r}, the data given is {data.name!r}")
    with deterministic():
        return _Stack(runs, data, torch.device(device)).train(on_epoch or (lambda epoch: None))


class _Stack:
    """R runs. A layer's weights are (R, out, in), its biases (R, 1, out)."""

    def __init__(self, runs: Sequence[Run], data: Dataset, device: torch.device) -> None:
        self.runs, self.device = runs, device
        self.images = training_images(runs[0], data)
        self.name, measured_on = measured_split(runs[0], data)
        self.data, self.measured_on = data.to(device), measured_on.to(device)
        models = [networks.initialise(run, data.shape, data.classes) for run in runs]
        self.model = models[0]
        self.distances = [networks.distances(run, self.model, data.shape) for run in runs]
        layers = list(zip(*map(networks.linear_layers, models), strict=True))
        self.weights = [self._stacked(part.weight for _, part in layer) for layer in layers]
        self.biases = [self._stacked(part.bias[None] for _, part in layer) for layer in layers]
        self.adam = _Adam([*self.weights, *self.biases])
        self.orders = [generator(run.seed, "order") for run in runs]
        self.strengths: list[Tensor] = []

    def _stacked(self, parts: Iterable[Tensor]) -> Tensor:
        return torch.stack([part.detach() for part in parts]).to(self.device).requires_grad_()

    def train(self, on_epoch: Callable[[int], None]) -> list[dict[str, Any]]:
        names = ("train_loss", f"{self.name}_loss", f"{self.name}_accuracy")
        histories = [History(names) for _ in self.runs]
        length = self.runs[0].epochs
        for epoch in range(length):
            self._set_strengths(progress(epoch, length))
            measured = {"train_loss": self._epoch(epoch), **self._measure()}
            for place, history in enumerate(histories):
                if history.failed_epoch is None:
                    values = {name: float(by_run[place]) for name, by_run in measured.items()}
                    history.add(epoch, values)
            on_epoch(epoch + 1)
        return [
            history.outcome({"sparsity": sparsity(run, self.model, between)})
            for run, history, between in zip(self.runs, histories, self.distances, strict=True)
        ]

    def _set_strengths(self, at: float) -> None:
        """Every layer's strengths (R, out, in) at this progress."""
        kernels = [run.schedule.at(at) for run in self.runs]
        if all(kernel == Uniform() for kernel in kernels):
            self.strengths = []
            return
        self.strengths = [
            torch.stack(
                [
                    kernel.strength(between[place]).to(self.device, torch.float32)
                    for kernel, between in zip(kernels, self.distances, strict=True)
                ]
            )
            for place in range(len(self.weights))
        ]

    def _effective(self) -> list[Tensor]:
        if not self.strengths:
            return self.weights
        return [w * k for w, k in zip(self.weights, self.strengths, strict=True)]

    def _epoch(self, epoch: int) -> Tensor:
        """One epoch of every run: mean training losses (R,), float64."""
        run, split = self.runs[0], self.data.train
        rate = self._rates(epoch)
        order = torch.stack([torch.randperm(self.images, generator=order) for order in self.orders])
        total = torch.zeros(len(self.runs), dtype=torch.float64, device=self.device)
        for step, index in enumerate(torch.split(order.to(self.device), run.batch_size, dim=1)):
            x = self.data.inputs(split, index.flatten()).view(*index.shape, -1)
            logits = self._forward(x, self._effective())
            losses = _losses(logits, split.y[index]).mean(dim=1)
            losses.sum().backward()  # type: ignore[no-untyped-call]
            self.adam.step(rate[step])
            total += losses.detach().double() * index.shape[1]
        return total / self.images

    def _rates(self, epoch: int) -> Tensor:
        """Learning rates (steps, R, 1, 1) of an epoch."""
        run = self.runs[0]
        steps = math.ceil(self.images / run.batch_size)
        shares = [(epoch * steps + step) / (run.epochs * steps) for step in range(steps)]
        columns = [
            [
                one.learning_rate
                * (
                    lr_schedules.decays.get(one.learning_rate_decay)(done)
                    if one.learning_rate_decay
                    else 1.0
                )
                for done in shares
            ]
            for one in self.runs
        ]
        return torch.tensor(columns, device=self.device).T[:, :, None, None]

    def _forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Logits (R, b, classes) of inputs (R, b, features)."""
        for place, (weight, bias) in enumerate(zip(weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x if place == 0 else x.relu(), weight.transpose(1, 2))
        return x

    @torch.no_grad()
    def _measure(self) -> dict[str, Tensor]:
        """Mean loss and accuracy of every run on the split that is measured, (R,) each."""
        split, count = self.measured_on, len(self.measured_on.y)
        weights = self._effective()
        loss = torch.zeros(len(self.runs), dtype=torch.float64, device=self.device)
        right = torch.zeros(len(self.runs), dtype=torch.int64, device=self.device)
        for index in batches(torch.arange(count, device=self.device), CHUNK):
            x, y = self.data.inputs(split, index), split.y[index].expand(len(self.runs), -1)
            logits = self._forward(x.expand(len(self.runs), -1, -1), weights)
            loss += _losses(logits, y).sum(dim=1).double()
            right += (logits.argmax(dim=2) == y).sum(dim=1)
        return {f"{self.name}_loss": loss / count, f"{self.name}_accuracy": right.double() / count}


class _Adam:
    """Adam, every step of which has a learning rate for each run. Kingma and Ba 2015."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters, self.steps = parameters, 0
        self.averages = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """One step at these rates (R, 1, 1); the gradients are used up."""
        self.steps += 1
        first, second = (1.0 - beta**self.steps for beta in BETAS)
        for parameter, (mean, square) in zip(self.parameters, self.averages, strict=True):
            gradient = parameter.grad
            assert gradient is not None
            mean.lerp_(gradient, 1.0 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1.0 - BETAS[1])
            size = square.sqrt().div_(math.sqrt(second)).add_(EPSILON)
            parameter.sub_(rate / first * (mean / size))
            parameter.grad = None


def _losses(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy (R, b) of logits (R, b, classes)."""
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)
