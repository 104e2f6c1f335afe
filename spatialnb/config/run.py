"""A run's whole identity: everything that determines its numbers, and nothing else.

The canonical JSON of a :class:`Run` (sorted keys, no spaces, floats as floats, absent settings left
out) with the schema version and the recipe number is hashed to the run's id. Source files, paths,
host, threads and times are provenance: they stand beside the configuration in the record.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from spatialnb.config import lr_schedules
from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors.actions import PARTS, action
from spatialnb.priors.kernels import Averaged, Kernel, Uniform
from spatialnb.priors.schedules import Schedule, Static
from spatialnb.registry import check_fields, check_name, decode, encode, unknown

SCHEMA = 1
"""Version of the configuration's format."""

RECIPE = 1
"""Bumped by hand when a change to the code alters any number that a run records."""

ACTIVATIONS = ("leaky_relu",)
"""What a run can ask for in the place of ReLU."""
OPTIMIZERS = ("adam", "sgd", "adamw")
"""The optimisers that a run can ask for."""
NETWORKS = ("convolutional", "transformer")
"""The networks that a run can ask for instead of a multilayer perceptron."""
POSITIONS = ("plane",)
"""Where neurons can stand besides on a line."""
LARGEST_SEED = 2**31 - 1
"""Seeds go from 0 to this one."""


@dataclass(frozen=True, kw_only=True)
class Decay:
    r"""Decay toward a target: the penalty $\lambda \sum (W - T)^2$. Report, v9.

    `target` is a kernel whose strengths are T; `weight` is $\lambda$.
    """

    target: Kernel
    weight: float = 1e-4

    def __post_init__(self) -> None:
        check_fields(self)
        _at_least("Decay.weight", self.weight, 0.0)


@dataclass(frozen=True, kw_only=True)
class SecondTask:
    """A second task that is trained at the same time. Report, v7.

    Parameters
    ----------
    dataset : its data set.
    schedule : its own kernel on the shared layers; the run's schedule is the first task's.
    shared : whether the tasks share their hidden layers, or have two networks side by side.
    """

    dataset: str = "imdb"
    schedule: Schedule = field(default_factory=Static)
    shared: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_name("dataset", self.dataset)


@dataclass(frozen=True, kw_only=True)
class Run:
    r"""One training run. The defaults are the reference protocol on CIFAR-10.

    Parameters
    ----------
    dataset : edition of a data set, e.g. ``cifar10-jpeg``.
    train_size : use the first so many training images only; all of them without it.
    validation_size : hold out the last so many training images and measure on those after every
        epoch. Such a run never sees the test images, so settings may be chosen by it.
    network : ``convolutional`` or ``transformer``, see :mod:`spatialnb.training.networks`, with
        the prior on its classifier or on the MLPs of its blocks; a multilayer perceptron without
        it.
    hidden : widths of the hidden layers, ReLU between: those of the classifier of a convolutional
        network, and those of a transformer's MLPs, one a block.
    activation : ``leaky_relu`` in the place of ReLU, 0.01 x below 0, in a multilayer perceptron.
    dead_neurons : record the share of dead neurons of each hidden layer of a multilayer perceptron
        after every epoch, see :mod:`spatialnb.training.dead_units`.
    action : how a strength acts on a weight: ``multiply``, ``normalise``, ``cap``.
    schedule : the kernel, as a function of progress.
    decay : a penalty toward a target, or none.
    second : a second task, or none. The first hidden width is then that of the adapters, which each
        task has of its own, and the prior acts on the layers between the others.
    optimizer : ``adam``, ``sgd`` with momentum 0.9, or ``adamw``.
    learning_rate : greater than 0.
    weight_decay : of ``adamw`` alone: a step of learning rate $\eta$ first multiplies every learned
        parameter by $1 - \eta \lambda$, $\lambda$ being this number.
    learning_rate_decay : how it falls, ``linear`` or ``cosine``, to zero; constant without it.
    folded : instead of attaching the prior, train the effective weights themselves, with these
        parts of what the prior does to the optimiser: see :mod:`spatialnb.priors.folded_optimizer`.
    positions : ``plane``: pixels at their own places, see :func:`spatialnb.priors.geometry.plane`;
        each layer's neurons on a line without it.
    permuted_pixels : on the plane, the seed of one permutation of the pixels' places.
    sparse : zeros from the first step on, or none; see :class:`~spatialnb.config.sparsity.Sparse`.
    prune : weights set to zero after the training, or none; see
    :class:`~spatialnb.config.sparsity.Prune`. asymmetric : weights that are fixed, in a network
        without a prior: see :mod:`spatialnb.config.asymmetric`.
    batch_size : samples a step; the last batch of an epoch may be smaller.
    epochs : passes over the training split.
    seed : fixes initialisation and batch order, so the arms of one seed are paired.

    Raises
    ------
    TypeError : a field of another type. ValueError : a value out of its range.
    """

    dataset: str = "cifar10-jpeg"
    train_size: int | None = None
    validation_size: int | None = None
    network: str | None = None
    hidden: tuple[int, ...] = (256, 128)
    activation: str | None = None
    dead_neurons: bool | None = None
    action: str = "multiply"
    schedule: Schedule = field(default_factory=Static)
    decay: Decay | None = None
    second: SecondTask | None = None
    optimizer: str = "adam"
    learning_rate: float = 3e-3
    weight_decay: float | None = None
    learning_rate_decay: str | None = None
    folded: tuple[str, ...] | None = None
    positions: str | None = None
    permuted_pixels: int | None = None
    sparse: Sparse | None = None
    prune: Prune | None = None
    asymmetric: Asymmetric | None = None
    batch_size: int = 128
    epochs: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_name("dataset", self.dataset)
        action(self.action)
        self._check_optimizer()
        self._check_neurons()
        if self.network is not None:
            self._check_network(self.network)
        for width in self.hidden:
            _at_least("hidden", width, 1)
        for size in ("train_size", "validation_size"):
            if getattr(self, size) is not None:
                _at_least(size, getattr(self, size), 1)
        if self.learning_rate <= 0.0:
            raise ValueError(f"learning_rate: expected a number > 0, got {self.learning_rate}")
        if self.learning_rate_decay is not None:
            lr_schedules.decay(self.learning_rate_decay)
        if self.folded is not None:
            self._check_folded(self.folded)
        self._check_positions()
        if self.sparse is not None or self.prune is not None:
            self._check_zeros()
        if self.asymmetric is not None:
            self._check_asymmetric()
        if self.second is not None:
            self._check_second()
        _at_least("batch_size", self.batch_size, 1)
        _at_least("epochs", self.epochs, 1)
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed: expected 0 to {LARGEST_SEED}, got {self.seed}")

    def _check_second(self) -> None:
        if len(self.hidden) < 2:
            raise ValueError(f"hidden: two tasks need at least 2 widths, got {list(self.hidden)}")
        if (
            self.decay is not None
            or self.train_size is not None
            or self.validation_size is not None
        ):
            raise ValueError("second: two tasks are trained without decay and on all samples")
        if self.learning_rate_decay is not None or self.folded is not None:
            raise ValueError("second: two tasks have no learning_rate_decay and are not folded")

    def _check_optimizer(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(unknown("optimizer", self.optimizer, dict.fromkeys(OPTIMIZERS)))
        if (self.optimizer == "adamw") != (self.weight_decay is not None):
            raise ValueError("weight_decay: expected with the optimizer adamw, and with no other")
        if self.weight_decay is not None:
            _at_least("weight_decay", self.weight_decay, 0.0)
            if self.folded is not None:
                raise ValueError("folded: weight decay of learned weights cannot be folded")
        zeros = self.sparse is not None or self.prune is not None
        if self.optimizer != "adam" and (self.second is not None or zeros):
            raise ValueError("second, sparse and prune: expected the optimizer adam")

    def _check_neurons(self) -> None:
        if self.activation is not None and self.activation not in ACTIVATIONS:
            known = unknown("activation", self.activation, dict.fromkeys(ACTIVATIONS))
            raise ValueError(f"{known} Leave activation out for ReLU.")
        if self.dead_neurons is False:
            object.__setattr__(self, "dead_neurons", None)  # one run has one id
        asked = self.activation is not None or self.dead_neurons is not None
        if asked and (self.network is not None or self.second is not None):
            raise ValueError(
                "activation and dead_neurons: expected a multilayer perceptron and one task; leave "
                "out network and second"
            )

    def _check_network(self, name: str) -> None:
        if name not in NETWORKS:
            known = unknown("network", name, dict.fromkeys(NETWORKS))
            raise ValueError(f"{known} Leave network out for a multilayer perceptron.")
        others = ("decay", "second", "folded", "positions", "sparse", "prune")
        if any(getattr(self, other) is not None for other in others):
            raise ValueError(f"network: {', '.join(others)} are those of a multilayer perceptron")

    def _check_positions(self) -> None:
        if self.positions is None and self.permuted_pixels is not None:
            raise ValueError(
                "permuted_pixels: pixels have places on the plane alone; set positions"
            )
        if self.positions is None:
            return
        if self.positions not in POSITIONS:
            known = unknown("positions", self.positions, dict.fromkeys(POSITIONS))
            raise ValueError(f"{known} Leave positions out for neurons on a line.")
        if self.decay is not None or self.second is not None or self.folded is not None:
            raise ValueError(
                "positions: decay, second and folded take neurons on a line; leave positions out"
            )
        if self.permuted_pixels is not None and not 0 <= self.permuted_pixels <= LARGEST_SEED:
            raise ValueError(
                f"permuted_pixels: expected a seed from 0 to {LARGEST_SEED}, got "
                f"{self.permuted_pixels}"
            )

    def _check_asymmetric(self) -> None:
        if self.action != "multiply" or self.schedule != Static() or self.folded is not None:
            raise ValueError("asymmetric: expected a network without a prior")
        others = ("decay", "second", "sparse", "prune")
        if any(getattr(self, other) is not None for other in others):
            raise ValueError(f"asymmetric: expected no {', '.join(others)}")

    def _check_folded(self, parts: tuple[str, ...]) -> None:
        for part in parts:
            if part not in PARTS:
                raise ValueError(unknown("part of folded", part, dict.fromkeys(PARTS)))
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(
                f"folded: expected parts of {', '.join(PARTS)}, each once and at least one, got "
                f"{list(parts)}"
            )
        if self.action != "multiply" or self.decay is not None:
            raise ValueError("folded: only the action multiply can be folded, without decay")
        # One set of parts has one id, in whatever order they are written.
        object.__setattr__(self, "folded", tuple(part for part in PARTS if part in parts))

    def _check_zeros(self) -> None:
        if self.sparse is not None and self.prune is not None:
            raise ValueError("sparse and prune: give one, zeros from the start or zeros at the end")
        if self.second is not None or self.folded is not None:
            raise ValueError("sparse and prune: expected one task, and a prior that is not folded")
        if self.prune is None:
            return
        if self.decay is not None or self.learning_rate_decay is not None:
            raise ValueError(
                "prune: the epoch after it has a constant learning rate and no decay; leave out "
                "learning_rate_decay and decay"
            )
        if "kernel" in self.prune.by and isinstance(self.schedule.at(1.0), Uniform | Averaged):
            raise ValueError(
                "prune: by kernel needs strengths that differ within a layer; this one's are all "
                "the same, so prune by magnitude or random"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, with schema and recipe."""
        return {"schema": SCHEMA, "recipe": RECIPE, **encode(self)}

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON."""
        return digest(self.to_dict())[:16]

    def earlier_ids(self) -> set[str]:
        """Its ids under earlier recipe numbers, whose records no longer answer."""
        plain = self.to_dict()
        return {digest({**plain, "recipe": recipe})[:16] for recipe in range(1, RECIPE)}

    @classmethod
    def from_dict(cls, data: Any) -> Run:
        """The run that :meth:`to_dict` wrote.

        Raises
        ------
        ValueError : another schema or recipe, an unknown field, or a value that does not fit.
        """
        if not isinstance(data, dict):
            raise ValueError(f"run: expected an object, got {data!r}")
        plain = dict(data)
        for name, ours in (("schema", SCHEMA), ("recipe", RECIPE)):
            theirs = plain.pop(name, None)
            if theirs != ours:
                raise ValueError(
                    f"run: {name} {theirs!r} is not this version's {ours}. "
                    "Read it with the version of spatialnb that wrote it, or train it again."
                )
        try:
            return decode(cls, plain, "run")
        except TypeError as error:
            raise ValueError(f"run: {error}") from error


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: the text that ids and checksums are made from."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(data: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name}: expected at least {least:g}, got {value:g}")
