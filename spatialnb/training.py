"""One run: the loop.

Deterministic: explicit generators, one thread, deterministic algorithms. The same configuration
gives the same numbers bit for bit on the same kind of machine and build of torch.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb import datasets, folded, models, priors, rates
from spatialnb.config import Run
from spatialnb.datasets import Dataset, Split
from spatialnb.geometry import layer_distance, plane
from spatialnb.kernels import Uniform, share_below
from spatialnb.schedules import Static, progress

SMALL = 0.1
"""The report's threshold: "Sparsity = % of kernel values < 0.1" (v10)."""

CHUNK = 2000
"""Test samples a forward pass."""

_one_at_a_time = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run leaves: its outcome, as recorded, and the network."""

    outcome: dict[str, Any]
    model: nn.Module


def train(
    run: Run, data: Dataset | None = None, on_epoch: Callable[[int], None] | None = None
) -> Trained:
    """Train one network as its configuration says.

    Parameters
    ----------
    run : the configuration.
    data : the data set, where it is loaded already; it must be the edition that `run` names.
    on_epoch : called with the number of epochs done after each.

    Returns
    -------
    Trained : per epoch, mean training loss (cross-entropy, over the epoch as it went, without the
        decay penalty), test loss and test accuracy in [0, 1], called validation loss and accuracy
        where images are held out; at the end, the share of strengths under 0.1. A loss that is not
        finite ends the run as ``failed``, with the epoch.
    """
    data = datasets.load(run.dataset) if data is None else data
    if data.name != run.dataset:
        raise ValueError(f"the run asks for {run.dataset!r}, the data given is {data.name!r}")
    with deterministic():
        return _train(run, data, on_epoch or (lambda epoch: None))


def build(run: Run, shape: Sequence[int], classes: int) -> nn.Module:
    """The network of a run at progress 0, initialised from its seed, its prior attached.

    Multiplying by one is exact, so the report's "none" is left a plain network. So is one whose
    prior is folded into the optimiser.

    Parameters
    ----------
    run : the configuration.
    shape : of one input, as of a data set: (channels, height, width) or (features,).
    classes : outputs.
    """
    model = models.mlp(math.prod(shape), run.hidden, classes, generator(run.seed, "initialisation"))
    if run.folded is not None:
        if "start" in run.folded:
            folded.start(model, run.schedule.at(progress(0, run.epochs)))
        return model
    if run.action == "multiply" and run.schedule == Static(kernel=Uniform()):
        return model
    between = distances(run, shape, classes)
    return priors.attach(model, run.schedule, action=run.action, distances=between)


def distances(run: Run, shape: Sequence[int], classes: int) -> list[Tensor]:
    """Distances (out, in) of every layer of a run's network, first to last.

    Raises
    ------
    ValueError : positions on the plane, and `shape` is not that of an image.
    """
    if run.positions == "plane":
        return plane(shape, *run.hidden, classes, permuted=run.permuted_pixels)
    widths = [math.prod(shape), *run.hidden, classes]
    return [layer_distance(out, into) for into, out in itertools.pairwise(widths)]


class LearningRate:
    """The learning rate of every step of a run: constant, or falling to zero by the step.

    Parameters
    ----------
    run : says the rate and how it falls.
    optimizer : whose rate it is.
    images : training samples an epoch.
    """

    def __init__(self, run: Run, optimizer: torch.optim.Optimizer, images: int) -> None:
        self._run, self._optimizer = run, optimizer
        self._steps = run.epochs * math.ceil(images / run.batch_size)
        self._done = 0

    def step(self) -> None:
        """Set the rate of the step to come, counted from 0. Without a decay it stays as it is."""
        if self._run.learning_rate_decay is not None:
            factor = rates.decay(self._run.learning_rate_decay)(self._done / self._steps)
            for group in self._optimizer.param_groups:
                group["lr"] = self._run.learning_rate * factor
        self._done += 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """A generator for one purpose: initialisation and batch order do not share a stream."""
    streams = {"initialisation": 2 * seed, "order": 2 * seed + 1, "second order": 2**40 + seed}
    return torch.Generator().manual_seed(streams[purpose])


def _train(run: Run, data: Dataset, on_epoch: Callable[[int], None]) -> Trained:
    images, name, measured_on = samples(run, data)
    model = build(run, data.shape, data.classes)
    decay = priors.DecayTarget(model, run.decay.target, run.decay.weight) if run.decay else None
    optimizer = torch.optim.Adam(model.parameters(), lr=run.learning_rate, fused=True)
    rate = LearningRate(run, optimizer, images)
    folding = _folding(run, model, optimizer)
    order = generator(run.seed, "order")
    attached = any(True for _ in priors.spatial_priors(model))
    epochs: dict[str, list[float]] = {"train_loss": [], f"{name}_loss": [], f"{name}_accuracy": []}

    for epoch in range(run.epochs):
        if attached:
            priors.step(model, run.schedule, progress(epoch, run.epochs))
        if folding is not None:
            folding.move(run.schedule.at(progress(epoch, run.epochs)))
        total = torch.zeros((), dtype=torch.float64)
        for index in batches(torch.randperm(images, generator=order), run.batch_size):
            loss = cross_entropy(model(data.inputs(data.train, index)), data.train.y[index])
            optimizer.zero_grad()
            (loss if decay is None else loss + decay()).backward()  # type: ignore[no-untyped-call]
            rate.step()
            (folding or optimizer).step()
            total += loss.detach().double() * len(index)
        loss_after, accuracy = evaluate(model, data, measured_on)
        measured = {
            "train_loss": float(total) / images,
            f"{name}_loss": loss_after,
            f"{name}_accuracy": accuracy,
        }
        if run.action == "cap":
            measured["cap_share"] = priors.capped_share(model) if attached else 0.0
        if decay is not None:
            measured["target_distance"] = decay.distance()
        if not all(math.isfinite(value) for value in measured.values()):
            return Trained(
                outcome={"status": "failed", "failed_epoch": epoch, "epochs": epochs}, model=model
            )
        for quantity, value in measured.items():
            epochs.setdefault(quantity, []).append(value)
        on_epoch(epoch + 1)
    final = {"sparsity": sparsity(run, model, distances(run, data.shape, data.classes))}
    return Trained(outcome={"status": "finished", "epochs": epochs, "final": final}, model=model)


def samples(run: Run, data: Dataset) -> tuple[int, str, Split]:
    """How many images to train on, and the split to measure on after every epoch, with its name."""
    there, held_out = len(data.train.y), run.validation_size or 0
    needed = (run.train_size or 1) + held_out
    if needed > there:
        sizes = [size for size in ("train_size", "validation_size") if getattr(run, size)]
        raise ValueError(
            f"{' and '.join(sizes)}: {data.name} has {there} training samples, not {needed}"
        )
    images, first = run.train_size or there - held_out, there - held_out
    if not held_out:
        return images, "test", data.test
    return images, "validation", Split(x=data.train.x[first:], y=data.train.y[first:])


def _folding(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer) -> folded.Folded | None:
    if run.folded is None:
        return None
    return folded.Folded(model, optimizer, run.schedule.at(progress(0, run.epochs)), run.folded)


def batches(index: Tensor, size: int) -> Iterator[Tensor]:
    """An index in pieces of `size`; the last one may be smaller."""
    for start in range(0, len(index), size):
        yield index[start : start + size]


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset, split: Split) -> tuple[float, float]:
    """Mean cross-entropy, and accuracy in [0, 1], of a model on a split."""
    loss = torch.zeros((), dtype=torch.float64)
    right = 0
    with parametrized_once():
        for index in batches(torch.arange(len(split.y)), CHUNK):
            logits, targets = model(data.inputs(split, index)), split.y[index]
            loss += cross_entropy(logits, targets, reduction="sum").double()
            right += int((logits.argmax(dim=1) == targets).sum())
    return float(loss) / len(split.y), right / len(split.y)


def sparsity(run: Run, model: nn.Module, between: Sequence[Tensor]) -> dict[str, float]:
    """Share of strengths under 0.1 in the last epoch, by layer and over all connections.

    `between` are the layers' distances, as :func:`distances` gives them.
    """
    kernel = run.schedule.at(1.0)
    names = [name for name, _ in models.linear_layers(model)]
    strengths = {name: kernel.strength(d) for name, d in zip(names, between, strict=True)}
    shares = {name: share_below([strength], SMALL) for name, strength in strengths.items()}
    return {**shares, "overall": share_below(strengths.values(), SMALL)}


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """One thread and deterministic algorithms inside, what was set before afterwards.

    These settings, and the cache of :func:`parametrized_once`, are one for the whole process, so
    runs that are trained in threads wait for each other here.
    """
    with _one_at_a_time:
        threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        memory: Any = torch.utils.deterministic
        fills = memory.fill_uninitialized_memory
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        # Else every new tensor is filled before it is written; nothing here reads one before that.
        memory.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
            memory.fill_uninitialized_memory = fills


def parametrized_once() -> contextlib.AbstractContextManager[None]:
    """Compute each effective weight once inside, where weights do not change."""
    return nn.utils.parametrize.cached()
