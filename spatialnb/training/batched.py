r"""Many runs as one program: the weights of all of them stand in one tensor a layer.

For seeds, arms and learning rates of one architecture. Every run keeps its own initialisation,
batch order, kernel, learning rate and weight decay, so that a run comes out as the loop of
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
from spatialnb.priors.schedules import Static, progress
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
OWN = (
    "seed",
    "schedule",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "learning_rate_decay",
    "positions",
    "permuted_pixels",
)
"""Settings that each run of a stack may have for itself."""
OPTIMIZERS = ("adam", "adamw")
"""The optimisers that this engine knows: AdamW without weight decay is Adam."""
SHARED = ("dataset", "train_size", "validation_size", "hidden", "action")
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
    return sorted(asked | ({"optimizer"} if run.optimizer not in OPTIMIZERS else set()))


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
    graph: bool = False,
) -> list[dict[str, Any]]:
    """Train a stack as :func:`stacks` gives it: the outcomes, in order, as the loop records them.

    Parameters
    ----------
    runs : of one architecture; they may differ in :data:`OWN`.
    data : the data set that they name.
    on_epoch : called with the number of epochs done after each.
    device : as torch calls it, such as ``cpu`` or ``cuda``.
    graph : on CUDA, record the operations of one step and replay them, so that the processor does
        not have to launch each one. The same operations in the same order.

    Raises
    ------
    ValueError : runs that do not share a program, data of another edition, or a graph on another
        device.
    """
    if len(stacks(runs, len(runs) or 1)) != 1:
        raise ValueError("these runs do not share a program; group them by stacks() first")
    if data.name != runs[0].dataset:
        raise ValueError(f"the runs ask for {runs[0].dataset!r}, the data given is {data.name!r}")
    if graph and torch.device(device).type != "cuda":
        raise ValueError(f"graph: only CUDA records graphs, got the device {device!r}")
    with deterministic():
        stack = _Stack(runs, data, torch.device(device), graph)
        return stack.train(on_epoch or (lambda epoch: None))


def by_seed(runs: Sequence[Run]) -> tuple[list[int], int]:
    """An order of runs in which those of one seed stand together, and how many seeds there are.

    Where every seed has as many runs, they share their batches: one gather and one wide product of
    the first layer serve all runs of a seed. Where not, every run counts as a seed of its own.
    """
    places: dict[int, list[int]] = {}
    for place, run in enumerate(runs):
        places.setdefault(run.seed, []).append(place)
    if len({len(group) for group in places.values()}) != 1:
        return list(range(len(runs))), len(runs)
    return [place for group in places.values() for place in group], len(places)


class _Stack:
    """R runs of S seeds. A layer's weights are (R, out, in), its biases (R, 1, out)."""

    def __init__(
        self, runs: Sequence[Run], data: Dataset, device: torch.device, graph: bool
    ) -> None:
        self.given, self.seeds = by_seed(runs)
        self.runs, self.device = [runs[place] for place in self.given], device
        self.images = training_images(runs[0], data)
        self.name, measured_on = measured_split(runs[0], data)
        self.data, self.measured_on = data.to(device), measured_on.to(device)
        models = [networks.initialise(run, data.shape, data.classes) for run in self.runs]
        self.model = models[0]
        self.distances = [networks.distances(run, self.model, data.shape) for run in self.runs]
        layers = list(zip(*map(networks.linear_layers, models), strict=True))
        self.weights = [self._stacked(part.weight for _, part in layer) for layer in layers]
        self.biases = [self._stacked(part.bias[None] for _, part in layer) for layer in layers]
        decays = torch.tensor([run.weight_decay or 0.0 for run in self.runs], device=device)
        self.adam = _Adam([*self.weights, *self.biases], decays[:, None, None])
        arms = len(self.runs) // self.seeds
        self.orders = [generator(run.seed, "order") for run in self.runs[::arms]]
        self.strengths: list[Tensor] = []
        self.total = torch.zeros(len(self.runs), dtype=torch.float64, device=device)
        self.graph = _Graph(self) if graph else None

    def _stacked(self, parts: Iterable[Tensor]) -> Tensor:
        return torch.stack([part.detach() for part in parts]).to(self.device).requires_grad_()

    def train(self, on_epoch: Callable[[int], None]) -> list[dict[str, Any]]:
        names = ("train_loss", f"{self.name}_loss", f"{self.name}_accuracy")
        histories = [History(names) for _ in self.runs]
        length = self.runs[0].epochs
        for epoch in range(length):
            self._set_strengths(progress(epoch, length))
            measured = {"train_loss": self._epoch(epoch), **self._measure()}
            values = {name: by_run.tolist() for name, by_run in measured.items()}
            for place, history in enumerate(histories):
                if history.failed_epoch is None:
                    history.add(epoch, {name: by_run[place] for name, by_run in values.items()})
            on_epoch(epoch + 1)
        outcomes = [
            history.outcome({"sparsity": sparsity(run, self.model, between)})
            for run, history, between in zip(self.runs, histories, self.distances, strict=True)
        ]
        by_place = dict(zip(self.given, outcomes, strict=True))
        return [by_place[place] for place in range(len(outcomes))]

    def _set_strengths(self, at: float) -> None:
        """Every layer's strengths (R, out, in) at this progress, in place where there are some."""
        kernels = [run.schedule.at(at) for run in self.runs]
        static = all(run.schedule == Static() for run in self.runs)
        if static or (all(kernel == Uniform() for kernel in kernels) and not self.graph):
            self.strengths = []
            return
        found = [
            torch.stack(
                [
                    kernel.strength(between[place]).to(self.device, torch.float32)
                    for kernel, between in zip(kernels, self.distances, strict=True)
                ]
            )
            for place in range(len(self.weights))
        ]
        if self.graph and self.strengths:  # a graph reads them where they were
            for old, new in zip(self.strengths, found, strict=True):
                old.copy_(new)
        else:
            self.strengths = found

    def _effective(self) -> list[Tensor]:
        if not self.strengths:
            return self.weights
        return [w * k for w, k in zip(self.weights, self.strengths, strict=True)]

    def _epoch(self, epoch: int) -> Tensor:
        """One epoch of every run: mean training losses (R,), float64."""
        run = self.runs[0]
        rates = self._rates(epoch)
        order = torch.stack([torch.randperm(self.images, generator=order) for order in self.orders])
        self.total.zero_()
        for step, index in enumerate(torch.split(order.to(self.device), run.batch_size, dim=1)):
            corrections = self.adam.corrections()
            if self.graph and index.shape[1] == run.batch_size:
                self.graph.step(index, rates[step], corrections)
            else:
                self.step(index, rates[step], *corrections)
        return self.total / self.images

    def step(self, index: Tensor, rate: Tensor, first: Tensor, second: Tensor) -> None:
        """Train on samples (S, b) at rates (R, 1, 1); their losses are added to the epoch's."""
        split = self.data.train
        x = self.data.inputs(split, index.flatten()).view(*index.shape, -1)
        y = split.y[index].repeat_interleave(len(self.runs) // self.seeds, dim=0)
        losses = _losses(self._forward(x, self._effective()), y).mean(dim=1)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self.adam.step(rate, first, second)
        self.total += losses.detach().double() * index.shape[1]

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
        """Logits (R, b, classes) of inputs (S, b, features), the same for all runs of a seed."""
        seeds, batch, features = x.shape
        for place, (weight, bias) in enumerate(zip(weights, self.biases, strict=True)):
            if place:
                x = torch.baddbmm(bias, x.relu(), weight.transpose(1, 2))
                continue
            wide = weight.reshape(seeds, -1, features)
            x = torch.baddbmm(bias.reshape(seeds, 1, -1), x, wide.transpose(1, 2))
            x = x.view(seeds, batch, -1, weight.shape[1]).transpose(1, 2)
            x = x.reshape(len(weight), batch, -1)
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
            logits = self._forward(x.expand(self.seeds, -1, -1), weights)
            loss += _losses(logits, y).sum(dim=1).double()
            right += (logits.argmax(dim=2) == y).sum(dim=1)
        return {f"{self.name}_loss": loss / count, f"{self.name}_accuracy": right.double() / count}


class _Graph:
    """One step of a stack, recorded once and replayed. The last, smaller batch is not in it."""

    WARM = 3
    """Steps before it is recorded, as torch asks for; what they change is put back."""

    def __init__(self, stack: _Stack) -> None:
        self._stack = stack
        self._recorded: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []

    def step(self, index: Tensor, rate: Tensor, corrections: Sequence[Tensor]) -> None:
        """A step on these samples, at these rates."""
        if self._recorded is None:
            self._record([index, rate, *corrections])
        assert self._recorded is not None
        for there, now in zip(self._inputs, [index, rate, *corrections], strict=True):
            there.copy_(now)
        self._recorded.replay()

    def _record(self, inputs: Sequence[Tensor]) -> None:
        stack, self._inputs = self._stack, [part.clone() for part in inputs]
        changed = [*stack.adam.state(), stack.total]
        before = [tensor.detach().clone() for tensor in changed]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARM):
                stack.step(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._recorded):
            stack.step(*self._inputs)
        with torch.no_grad():
            for tensor, old in zip(changed, before, strict=True):
                tensor.copy_(old)


class _Adam:
    """Adam, or AdamW, with a learning rate and a weight decay (R, 1, 1) for each run.

    Kingma and Ba 2015; Loshchilov and Hutter 2019.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: Tensor) -> None:
        self.parameters, self.steps = parameters, 0
        self.decay = decay if bool((decay != 0.0).any()) else None
        self.averages = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]

    def corrections(self) -> tuple[Tensor, Tensor]:
        r"""Of the step that comes: $1 - \beta_1^t$ and $\sqrt{1 - \beta_2^t}$."""
        self.steps += 1
        device = self.parameters[0].device
        values = (1.0 - BETAS[0] ** self.steps, math.sqrt(1.0 - BETAS[1] ** self.steps))
        first, second = (torch.full((), value, device=device) for value in values)
        return first, second

    def state(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        return [*self.parameters, *(part for pair in self.averages for part in pair)]

    @torch.no_grad()
    def step(self, rate: Tensor, first: Tensor, second: Tensor) -> None:
        """One step at these rates (R, 1, 1), with its corrections; the gradients are used up."""
        for parameter, (mean, square) in zip(self.parameters, self.averages, strict=True):
            gradient = parameter.grad
            assert gradient is not None
            if self.decay is not None:
                parameter.mul_(1.0 - rate * self.decay)
            mean.lerp_(gradient, 1.0 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1.0 - BETAS[1])
            size = square.sqrt().div_(second).add_(EPSILON)
            parameter.sub_(rate / first * (mean / size))
            parameter.grad = None


def _losses(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy (R, b) of logits (R, b, classes)."""
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)
