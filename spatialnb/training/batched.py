r"""Train many runs as one program ("stack"), with the weights of all runs in one tensor per layer.

A stack holds seeds, arms and learning rates of one architecture. Every run has its own
initialisation, batch order, kernel, learning rate and weight decay. Results agree with the loop in
:mod:`spatialnb.training.loop` up to rounding in batched products; they are not bit-identical. Data
stay on the device, the CPU does not synchronise with it within an epoch, and meanwhile prepares the
next epoch. Records name the engine that made them; published ones come from the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.priors.schedules import progress
from spatialnb.training import networks
from spatialnb.training.context import measured_split, training_images
from spatialnb.training.determinism import deterministic, generator
from spatialnb.training.evaluation import CHUNK, batches
from spatialnb.training.history import History
from spatialnb.training.interventions.sparse_weights import SparseWeights
from spatialnb.training.stack import finishing, memory
from spatialnb.training.stack.adam import (
    FUSED_ON,
    WAYS,
    Adam,
    compiled,
    recompiling,
    update_in_place,
)
from spatialnb.training.stack.functional import Functional
from spatialnb.training.stack.graph import Steps
from spatialnb.training.stack.kernels import Kernels, Key, Place, place_of
from spatialnb.training.stack.momentum import Momentum
from spatialnb.training.stack.sharing import SGD, by_seed, is_plain, stacks
from spatialnb.training.stack.written_out import WrittenOut

ENGINE = "stacked"
"""Name of this engine in records; records without an engine come from the loop."""
PRECISIONS = {"float32": "highest", "tf32": "high"}
"""Precisions of matrix products on CUDA, with torch's name for each. TF32 keeps 10 of the 23 bits
of the mantissa."""
THREADS = 8
"""Number of threads that initialise networks of different seeds; each has its own generator."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a stack is trained. None selects the best choice for the device.

    Parameters
    ----------
    device : a torch device, such as ``cpu`` or ``cuda``.
    graph : on CUDA, record the operations of one step as a graph and replay it, so that the CPU
        need not launch each operation. Operations and their order are the same.
    adam : one of :data:`spatialnb.training.stack.adam.WAYS`.
    precision : ``float32``, or ``tf32`` for matrix products on CUDA: faster, different numbers.

    Raises
    ------
    ValueError : an unknown value, or one that the device does not support.
    """

    device: str = "cpu"
    graph: bool | None = None
    adam: str | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        kind = torch.device(self.device).type
        if self.graph and kind != "cuda":
            raise ValueError(f"graph: supported only on CUDA, got the device {self.device!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision: expected {' or '.join(PRECISIONS)}, got {self.precision!r}"
            )
        if self.precision != "float32" and kind != "cuda":
            raise ValueError(
                f"precision: {self.precision} is supported only on CUDA, got the device "
                f"{self.device!r}"
            )
        if self.adam not in (None, *WAYS):
            raise ValueError(f"adam: expected {', '.join(WAYS)}, got {self.adam!r}")
        if self.adam == "fused" and kind not in FUSED_ON:
            raise ValueError(
                f"adam: fused is supported only on {' and '.join(FUSED_ON)}, got {self.device!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Stacked:
    """The result of one run in a stack.

    `outcome` and `answers` are as in :class:`spatialnb.training.loop.Trained`; `made` says how the
    stack was trained: ``runs``, ``adam``, ``graph`` and ``precision``.
    """

    outcome: dict[str, Any]
    answers: dict[str, list[int]] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)


def train(
    runs: Sequence[Run],
    data: Dataset,
    on_epoch: Callable[[int], None] | None = None,
    options: Options | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Stacked]:
    """Train one of the stacks that :func:`spatialnb.training.stack.sharing.stacks` returns.

    Parameters
    ----------
    runs : runs of one architecture.
    data : the data set that they name.
    on_epoch : called after each epoch with the number of epochs done.
    options : how to train; by default on the CPU.
    say : receives a sentence if an option is not available, and what is done instead.

    Returns
    -------
    The result of each run, in order.

    Raises
    ------
    ValueError : the runs do not share a program, or the data are another edition.
    """
    if len(stacks(runs, len(runs) or 1)) != 1:
        raise ValueError("these runs do not share a program; group them by stacks() first")
    if data.name != runs[0].dataset:
        raise ValueError(f"the runs need the data {runs[0].dataset!r}, got {data.name!r}")
    how = options or Options()
    with deterministic(), _products(how.precision), torch.no_grad():
        return _Stack(runs, data.scaled(runs[0].input_scaling), how, say).train(
            on_epoch or (lambda epoch: None)
        )


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """Set the precision of matrix products inside, and restore it afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS[precision])
    torch.backends.cudnn.allow_tf32 = precision == "tf32"  # restored by deterministic()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class _Epoch(NamedTuple):
    """What the CPU prepares for an epoch: orders (S, images), learning rates, kernels by run."""

    orders: Tensor
    tables: Any
    kernels: list[Key]


class _Stack:
    """R runs of S seeds, with the runs of each seed adjacent."""

    def __init__(
        self, runs: Sequence[Run], data: Dataset, how: Options, say: Callable[[str], None]
    ) -> None:
        self.given, self.seeds = by_seed(runs)
        self.runs, self.device = [runs[place] for place in self.given], torch.device(how.device)
        self.images = training_images(runs[0], data)
        self.batch = min(runs[0].batch_size, self.images)
        self.name, measured_on = measured_split(runs[0], data)
        model, weights = _initial(self.runs, data, self.device)
        self.kernels = Kernels(self.runs, model, data.shape, self.device)
        self.chunk = memory.chunk(model, data.shape, len(runs), CHUNK)
        self.data = data.to(self.device)
        self.inputs = _inputs(self.data, once=self.device.type == "cuda")
        self.measured_on = measured_on.to(self.device)
        self.networks = _networks(self.runs, model, weights, self.kernels, self.seeds)
        way = how.adam or _best_adam(self.device, say)
        steps = math.ceil(self.images / self.batch)
        optimizer = Momentum if runs[0].optimizer == SGD else Adam
        self.optimizer = optimizer(self.networks.slots, self.runs, steps, way)
        self.graph = self.device.type == "cuda" if how.graph is None else how.graph
        each = self.runs[:: len(self.runs) // self.seeds]
        self.generators = [generator(run.seed, "order") for run in each]
        self.precision, self.say = how.precision, say
        # State that a step reads and changes. The CPU does not read it during an epoch.
        self.orders = torch.zeros(self.seeds, self.images, dtype=torch.int64, device=self.device)
        self.places = torch.arange(self.batch, device=self.device)
        self.at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.total = torch.zeros(len(runs), dtype=torch.float64, device=self.device)

    def train(self, on_epoch: Callable[[int], None]) -> list[Stacked]:
        length = self.runs[0].epochs
        names = ("train_loss", f"{self.name}_loss", f"{self.name}_accuracy")
        histories = [History(names) for _ in self.runs]
        answers: list[list[int]] = []
        # Local, not an attribute: its reference to this object would delay freeing memory.
        steps = Steps(self._step, self.device, self.graph, self.say)
        coming = self._prepare(0)
        for epoch in range(length):
            self._begin(coming)
            self._train_epoch(steps)
            measured = self._measure(answer=epoch + 1 == length)
            coming = self._prepare(epoch + 1) if epoch + 1 < length else coming
            given = measured.pop("answers", None)
            values = {name: by_run.tolist() for name, by_run in measured.items()}
            for place, history in enumerate(histories):
                if history.failed_epoch is None:
                    history.add(epoch, {name: by_run[place] for name, by_run in values.items()})
            answers = [] if given is None else given.tolist()
            on_epoch(epoch + 1)
        made = {
            "runs": len(self.runs),
            "adam": self.optimizer.way,
            "graph": steps.recorded,
            "precision": self.precision,
        }
        return self._left(histories, answers, made)

    def _left(
        self,
        histories: Sequence[History],
        answers: Sequence[list[int]],
        made: dict[str, Any],
    ) -> list[Stacked]:
        """The result of every run, in the order in which the runs were given."""
        left = []
        shares = self.kernels.sparsities()
        for place, (run, sparsity, given) in enumerate(
            zip(self.runs, shares, answers, strict=True)
        ):
            outcome = histories[place].outcome({"sparsity": sparsity})
            finished = outcome["status"] == "finished"
            if finished and finishing.measures(run):
                learned = {name: slot.weight[place] for name, slot in self.networks.named.items()}
                finishing.finish(run, self.data, learned, outcome)
            said = {self.data.name: given} if finished else {}
            left.append(Stacked(outcome=outcome, answers=said, made=made))
        by_place = dict(zip(self.given, left, strict=True))
        return [by_place[place] for place in range(len(left))]

    def _prepare(self, epoch: int) -> _Epoch:
        orders = [torch.randperm(self.images, generator=one) for one in self.generators]
        return _Epoch(
            orders=torch.stack(orders),
            tables=self.optimizer.prepare(epoch),
            kernels=self.kernels.prepare(progress(epoch, self.runs[0].epochs)),
        )

    def _begin(self, epoch: _Epoch) -> None:
        self.orders.copy_(epoch.orders)
        self.optimizer.set(epoch.tables)
        if self.kernels.set(epoch.kernels):
            for slot in self.networks.slots:
                slot.refresh()
        self.at.zero_()
        self.total.zero_()

    def _train_epoch(self, steps: Steps) -> None:
        with recompiling(self.optimizer.way):
            steps.run(self.images // self.batch)
            if self.images % self.batch:  # the last, smaller batch is not part of the graph
                self._step(self.images % self.batch)

    def _step(self, size: int | None = None) -> None:
        """Train on the next batch, and add its losses to the epoch's totals."""
        places = self.places[:size] + self.at * self.batch
        index = self.orders.index_select(1, places)
        x = self.inputs(index.flatten()).view(*index.shape, -1)
        y = self.data.train.y.index_select(0, index.flatten()).view(index.shape)
        losses = self.networks.losses_and_gradients(x, y)
        self.optimizer.step(self.at)
        self.total += losses.double() * index.shape[1]
        self.at += 1

    def _measure(self, answer: bool) -> dict[str, Tensor]:
        """Mean losses and accuracy of every run, (R,); with `answer`, also predictions (R, n)."""
        split, count = self.measured_on, len(self.measured_on.y)
        loss = torch.zeros(len(self.runs), dtype=torch.float64, device=self.device)
        right = torch.zeros(len(self.runs), dtype=torch.int64, device=self.device)
        given = []
        for index in batches(torch.arange(count, device=self.device), self.chunk):
            logits = self.networks.logits(self.data.inputs(split, index))
            y = split.y[index].expand(len(self.runs), -1)
            each = cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
            loss += each.view(y.shape).sum(dim=1).double()
            classes = logits.argmax(dim=2)
            right += (classes == y).sum(dim=1)
            given += [classes] if answer else []
        return {
            "train_loss": self.total / self.images,
            f"{self.name}_loss": loss / count,
            f"{self.name}_accuracy": right.double() / count,
            **self.networks.measure(),
            **({"answers": torch.cat(given, dim=1)} if answer else {}),
        }


def _initial(
    runs: Sequence[Run], data: Dataset, device: torch.device
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A network of these runs, and the initial weights of all runs by name, (R, ...).

    Initial weights that runs share are drawn once.
    """
    starts = [_start(run) for run in runs]
    different = dict(zip(starts, runs, strict=True))
    with ThreadPoolExecutor(THREADS) as pool:
        drawn = list(pool.map(lambda run: _drawn(run, data), different.values()))
    rows = {start: row for row, start in enumerate(different)}
    index = torch.tensor([rows[start] for start in starts]).to(device)
    every = [dict(model.named_parameters()) for model in drawn]
    weights = {
        name: torch.stack([one[name].detach() for one in every]).to(device).index_select(0, index)
        for name in every[0]
    }
    return drawn[0], weights


def _start(run: Run) -> tuple[int, str | None, float | None, Place | None]:
    """A key that is equal for runs with the same initial weights."""
    place = place_of(run) if run.sparse else None
    return run.seed, run.initialisation, run.initial_std, place


def _drawn(run: Run, data: Dataset) -> nn.Module:
    """The network of a run with its initial weights, with a sparse run's mask applied."""
    model = networks.initialise(run, data.shape, data.classes)
    sparse = SparseWeights.asked_by(run)
    if sparse is not None:
        sparse.prepare(model, run, tuple(data.shape))
    return model


def _networks(
    runs: Sequence[Run], model: nn.Module, weights: dict[str, Tensor], kernels: Kernels, seeds: int
) -> WrittenOut | Functional:
    """The networks of a stack: explicit gradients if the loop has them, else torch's."""
    if not is_plain(runs[0]):
        strengths = dict(zip(kernels.names, kernels.values, strict=False))
        return Functional(runs, model, weights, strengths, seeds)
    layers = [name for name, _ in networks.linear_layers(model)]
    return WrittenOut(
        layers,
        weights,
        kernels.values,
        seeds,
    )


def _inputs(data: Dataset, once: bool) -> Callable[[Tensor], Tensor]:
    """A function from an index to training inputs; with `once`, all are standardised beforehand.

    Standardised inputs take four times the memory, but a lookup reads and writes less.
    """
    split = data.train
    if not once or split.x.is_floating_point():
        return lambda index: data.inputs(split, index)
    every = torch.arange(len(split.x), device=split.x.device)
    standardised = torch.cat([data.inputs(split, part) for part in batches(every, CHUNK)])
    return lambda index: standardised.index_select(0, index)


def _best_adam(device: torch.device, say: Callable[[str], None]) -> str:
    """The best of Adam's implementations for a device; compilation is tried on a small example."""
    if device.type != "cuda":
        return "fused" if device.type in FUSED_ON else "plain"
    weight, gradient, mean, square, strength, effective = (
        torch.ones(2, 4, device=device)
        for _ in range(6)  # separate tensors without shared memory, as in a stack
    )
    rate, root = torch.ones(2, 1, device=device), torch.ones((), device=device)
    try:
        for prior in ((strength, effective), (None, None)):
            compiled(update_in_place)(weight, gradient, mean, square, *prior, rate, root, rate)
    except Exception as error:  # any error: a compiler, or something it needs, may be missing
        why = str(error).strip().splitlines()[0]
        say(f"Adam uses torch's fused kernel, once per learning rate: compiling failed ({why})")
        return "fused"
    return "compiled"
