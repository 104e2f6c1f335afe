"""One run: the loop.

Deterministic: explicit generators, one thread, deterministic algorithms. The same configuration
gives the same numbers bit for bit on the same kind of machine and build of torch.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb import datasets
from spatialnb.config import lr_schedules
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.datasets import Dataset, Split
from spatialnb.priors import folded_optimizer, parametrization
from spatialnb.priors.geometry import layer_distance, plane
from spatialnb.priors.kernels import Uniform, share_below
from spatialnb.priors.schedules import Static, progress
from spatialnb.training import (
    backprop,
    dead_units,
    fixed_weights,
    networks,
    pruning,
    sparse_optimizers,
)

SMALL = 0.1
"""The report's threshold: "Sparsity = % of kernel values < 0.1" (v10)."""

CHUNK = 2000
"""Test samples a forward pass."""

MOMENTUM = 0.9
"""Of SGD."""

_one_at_a_time = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run leaves: its outcome, as recorded, and the network."""

    outcome: dict[str, Any]
    model: nn.Module


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
        where images are held out, and what :func:`spatialnb.training.dead_units.dead` gives where
        it is asked for; at the end, the share of strengths under 0.1, of zeros where training was
        sparse, and what :func:`spatialnb.training.pruning.outcome` gives where weights are pruned.
        A loss that is not finite ends the run as ``failed``, with the epoch.
    """
    data = datasets.load(run.dataset) if data is None else data
    if data.name != run.dataset:
        raise ValueError(f"the run asks for {run.dataset!r}, the data given is {data.name!r}")
    with deterministic():
        return _train(run, data, on_epoch or (lambda epoch: None), torch.device(device))


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
    model = _network(run, shape, classes)
    if run.asymmetric is not None:
        return fixed_weights.fix(model, run.asymmetric)
    if run.folded is not None:
        if "start" in run.folded:
            folded_optimizer.start(model, run.schedule.at(progress(0, run.epochs)))
        return model
    if run.sparse is not None:
        sparse_optimizers.start(*_kept(run, run.sparse, model, generator(run.seed, "mask")))
    if run.action == "multiply" and run.schedule == Static(kernel=Uniform()):
        return model
    between = distances(run, shape, classes)
    layers = [name for name, _ in networks.prior_layers(model)]
    return parametrization.attach(
        model, run.schedule, action=run.action, layers=layers, distances=between
    )


def _network(run: Run, shape: Sequence[int], classes: int) -> nn.Module:
    chance = generator(run.seed, "initialisation")
    if run.network == "convolutional":
        return networks.convolutional(shape, run.hidden, classes, chance)
    if run.network == "transformer":
        return networks.Transformer(shape, run.hidden, classes, chance)
    activation = nn.ReLU if run.activation is None else nn.LeakyReLU
    return networks.mlp(math.prod(shape), run.hidden, classes, chance, activation)


def distances(run: Run, shape: Sequence[int], classes: int) -> list[Tensor]:
    """Distances (out, in) of every layer that a run's prior acts on, first to last.

    Raises
    ------
    ValueError : positions on the plane, and `shape` is not that of an image.
    """
    if run.positions == "plane":
        return plane(shape, *run.hidden, classes, permuted=run.permuted_pixels)
    if run.network is not None:
        layers = networks.prior_layers(_network(run, shape, classes))
        return [layer_distance(*layer.weight.shape) for _, layer in layers]
    widths = [math.prod(shape), *run.hidden, classes]
    return [layer_distance(out, into) for into, out in itertools.pairwise(widths)]


def make_optimizer(run: Run, model: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a run, of all parameters of its network, biases too."""
    parameters, rate = model.parameters(), run.learning_rate
    if run.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=MOMENTUM, fused=True)
    if run.optimizer == "adamw":
        decay = run.weight_decay or 0.0
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.Adam(parameters, lr=rate, fused=True)


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
            factor = lr_schedules.decay(self._run.learning_rate_decay)(self._done / self._steps)
            for group in self._optimizer.param_groups:
                group["lr"] = self._run.learning_rate * factor
        self._done += 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """A generator for one purpose: initialisation and batch order do not share a stream."""
    streams = {"initialisation": 2 * seed, "order": 2 * seed + 1, "second order": 2**40 + seed}
    streams["mask"] = 2**41 + seed
    return torch.Generator().manual_seed(streams[purpose])


def _train(
    run: Run, data: Dataset, on_epoch: Callable[[int], None], device: torch.device
) -> Trained:
    data = data.to(device)
    images, name, measured_on = samples(run, data)
    model = build(run, data.shape, data.classes).to(device)
    decay = (
        parametrization.DecayTarget(model, run.decay.target, run.decay.weight)
        if run.decay
        else None
    )
    optimizer = make_optimizer(run, model)
    rate = LearningRate(run, optimizer, images)
    folding = _folding(run, model, optimizer)
    held = _held(run, model, optimizer, images)
    gradients = backprop.gradients(model, decay)
    order = generator(run.seed, "order")
    attached = any(True for _ in parametrization.spatial_priors(model))
    epochs: dict[str, list[float]] = {"train_loss": [], f"{name}_loss": [], f"{name}_accuracy": []}

    for epoch in range(run.epochs):
        if attached:
            parametrization.step(model, run.schedule, progress(epoch, run.epochs))
        if folding is not None:
            folding.move(run.schedule.at(progress(epoch, run.epochs)))
        total = torch.zeros((), dtype=torch.float64, device=device)
        permuted = torch.randperm(images, generator=order).to(device)
        for index in batches(permuted, run.batch_size):
            loss = gradients(data.inputs(data.train, index), data.train.y[index])
            rate.step()
            (folding or held or optimizer).step()
            total += loss.double() * len(index)
        loss_after, accuracy = evaluate(model, data, measured_on)
        measured = {
            "train_loss": float(total) / images,
            f"{name}_loss": loss_after,
            f"{name}_accuracy": accuracy,
        }
        if run.action == "cap":
            measured["cap_share"] = parametrization.capped_share(model) if attached else 0.0
        if decay is not None:
            measured["target_distance"] = decay.distance()
        if run.dead_neurons:
            with parametrized_once():
                shares = dead_units.dead(model, _chunks(data, measured_on))
            measured |= {f"dead:{layer}": share for layer, share in enumerate(shares, 1)}
        if not all(math.isfinite(value) for value in measured.values()):
            outcome = {"status": "failed", "failed_epoch": epoch, "epochs": epochs}
            return Trained(outcome=outcome, model=model.cpu())
        for quantity, value in measured.items():
            epochs.setdefault(quantity, []).append(value)
        on_epoch(epoch + 1)
    between = distances(run, data.shape, data.classes)
    final: dict[str, Any] = {"sparsity": sparsity(run, model, between)}
    if run.sparse is not None:
        final["zeros"] = pruning.zeros(model)
    outcome = {"status": "finished", "epochs": epochs, "final": final}
    if run.prune is not None:
        outcome["pruned"] = pruning.outcome(
            run.prune,
            model,
            optimizer,
            [run.schedule.at(1.0).strength(distance) for distance in between],
            further=_further(run, data, torch.randperm(images, generator=order).to(device)),
            accuracy=lambda network: evaluate(network, data, measured_on)[1],
            generator=generator(run.seed, "mask"),
        )
    return Trained(outcome=outcome, model=model.cpu())


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


def _folding(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer
) -> folded_optimizer.Folded | None:
    if run.folded is None:
        return None
    return folded_optimizer.Folded(
        model, optimizer, run.schedule.at(progress(0, run.epochs)), run.folded
    )


def _kept(
    run: Run, wanted: Sparse, model: nn.Module, chance: torch.Generator
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """The learned weights of a network, and which of them are there at the start."""
    weights = [parametrization.learned_weight(layer) for _, layer in networks.linear_layers(model)]
    return weights, sparse_optimizers.masks(weights, wanted, chance)


def _held(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, images: int
) -> sparse_optimizers.Masked | None:
    """The optimiser of a sparse network. Its masks are those of :func:`build`."""
    if run.sparse is None:
        return None
    chance = generator(run.seed, "mask")
    weights, kept = _kept(run, run.sparse, model, chance)
    epoch = math.ceil(images / run.batch_size)
    steps = run.epochs * epoch
    if run.sparse.method == "set":
        return sparse_optimizers.Set(
            optimizer, weights, kept, epoch=epoch, steps=steps, generator=chance
        )
    if run.sparse.method == "rigl":
        return sparse_optimizers.Rigl(optimizer, weights, kept, steps=steps)
    return sparse_optimizers.Masked(optimizer, weights, kept)


def _further(run: Run, data: Dataset, order: Tensor) -> pruning.Further:
    """One more epoch in this order for a network with zeros, at the run's learning rate."""

    def train_on(network: nn.Module, held: sparse_optimizers.Masked) -> None:
        gradients = backprop.gradients(network)
        for index in batches(order, run.batch_size):
            gradients(data.inputs(data.train, index), data.train.y[index])
            held.step()

    return train_on


def batches(index: Tensor, size: int) -> Iterator[Tensor]:
    """An index in pieces of `size`; the last one may be smaller."""
    for start in range(0, len(index), size):
        yield index[start : start + size]


def _chunks(data: Dataset, split: Split) -> Iterator[Tensor]:
    """The inputs of a split, piece by piece."""
    for index in batches(torch.arange(len(split.y), device=split.y.device), CHUNK):
        yield data.inputs(split, index)


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset, split: Split) -> tuple[float, float]:
    """Mean cross-entropy, and accuracy in [0, 1], of a model on a split."""
    loss = torch.zeros((), dtype=torch.float64, device=split.y.device)
    right = 0
    with parametrized_once():
        for index in batches(torch.arange(len(split.y), device=split.y.device), CHUNK):
            logits, targets = model(data.inputs(split, index)), split.y[index]
            loss += cross_entropy(logits, targets, reduction="sum").double()
            right += int((logits.argmax(dim=1) == targets).sum())
    return float(loss) / len(split.y), right / len(split.y)


def sparsity(run: Run, model: nn.Module, between: Sequence[Tensor]) -> dict[str, float]:
    """Share of strengths under 0.1 in the last epoch, by layer and over all connections.

    `between` are the layers' distances, as :func:`distances` gives them.
    """
    kernel = run.schedule.at(1.0)
    names = [name for name, _ in networks.prior_layers(model)]
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
        # Asked for by cuBLAS, before it starts, where the bits are to be the same every time.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
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
