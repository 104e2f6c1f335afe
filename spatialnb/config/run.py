"""The configuration of a run: everything that determines its numbers, and nothing else.

The run's id is a hash of the canonical JSON of a :class:`Run` (sorted keys, no spaces, floats as
floats, unset settings omitted) with the schema version and the recipe number. Source files, paths,
host, threads and times are provenance, stored beside the configuration in the record.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from spatialnb.config import exclusions, lr_schedules
from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.components import (
    DECAYING,
    activations,
    initialisations,
    networks,
    optimizers,
)
from spatialnb.config.intervention import Intervention
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors.actions import PARTS, actions
from spatialnb.priors.kernels import Averaged, Kernel, Uniform
from spatialnb.priors.schedules import Schedule, Static
from spatialnb.registry import Functions, check_fields, check_name, decode, encode, unknown

SCHEMA = 1
"""Version of the configuration format."""

RECIPE = 1
"""Increased by hand when a change of the code alters any number that a run records."""

POSITIONS = ("plane",)
"""Positions of units other than 1-D index order."""
AUGMENTATIONS = ("crop_flip",)
"""Augmentations of training images."""
REPARAMETRISATIONS = ("weight_norm", "learned_scalar", "weight_compander")
"""Reparametrisations of a weight without a prior."""
INPUT_SCALINGS = ("unit", "centred")
"""Scalings of images other than standardisation."""
LARGEST_SEED = 2**31 - 1
"""The largest seed; the smallest is 0."""


@dataclass(frozen=True, kw_only=True)
class Decay:
    r"""Decay toward a target: the penalty $\lambda \sum (W - T)^2$. Log, v9.

    `target` is a kernel whose values are T; `weight` is $\lambda$. With `keep_sign` the penalty is
    $\lambda \sum (|W| - T)^2$: a weight decays toward magnitude T and keeps its sign.
    """

    target: Kernel
    weight: float = 1e-4
    keep_sign: bool | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.keep_sign is False:  # None and False mean the same, and must give the same id
            object.__setattr__(self, "keep_sign", None)
        _at_least("Decay.weight", self.weight, 0.0)


@dataclass(frozen=True, kw_only=True)
class SecondTask:
    """A second task trained at the same time. Log, v7.

    Parameters
    ----------
    dataset : the second task's data set.
    schedule : the second task's kernel on the shared layers; the first task has the run's schedule.
    shared : whether the tasks share their hidden layers, or have two separate networks.
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
    train_size : use only the first `train_size` training images; default: all.
    validation_size : hold out the last `validation_size` training images and evaluate on them after
        every epoch. Such a run never uses the test images, so it can be used to choose settings.
    network : ``convolutional``, ``convolutional_pooled`` or ``transformer``, see
        :mod:`spatialnb.training.networks`, with the prior on its classifier or on the MLPs of its
        blocks; default: a multilayer perceptron.
    hidden : widths of the hidden layers, with ReLU between them. In a convolutional network these
        are the classifier's; in a pooled one, the numbers of filters; in a transformer, the MLP
        widths, one per block.
    initialisation : of a multilayer perceptron's weights: ``torch_default``, which also draws the
        biases, or ``normal`` with standard deviation `initial_std`; default: Kaiming normal.
    initial_std : standard deviation of every weight under the initialisation ``normal``.
    input_scaling : of images: ``unit`` for [0, 1], ``centred`` for [-1, 1]; default: standardised
        per channel.
    activation : ``leaky_relu`` instead of ReLU, with slope 0.01 below 0, in a multilayer
        perceptron.
    dead_neurons : record the fraction of dead units in each hidden layer of a multilayer perceptron
        after every epoch, see :mod:`spatialnb.training.interventions.dead_units`.
    permuted_units : evaluate the trained network this many times with the units of each hidden
        layer randomly permuted, see :mod:`spatialnb.training.interventions.permuted_units`.
    augmentation : ``crop_flip``: training images randomly shifted by up to 4 pixels and flipped.
    dropout : fraction of hidden units dropped in every training step, between 0 and 1.
    label_smoothing : fraction of the target spread over all classes, between 0 and 1.
    rotation : record after every epoch how far effective weight vectors rotate, see
        :mod:`spatialnb.training.interventions.rotation`.
    learned_rotation : the same for the learned weights, from which a prior computes the effective
        ones.
    mask_locality : record how local the non-zero weights of the first layer are, see
        :mod:`spatialnb.priors.mask_locality`.
    reparametrisation : a name in :data:`REPARAMETRISATIONS` instead of a prior, see
        :mod:`spatialnb.training.interventions.reparametrised`.
    action : how a kernel value acts on a weight: ``multiply``, ``normalise``, ``cap``,
        ``soft_cap``, ``cap_scaled_gradient``.
    schedule : the kernel as a function of training progress.
    decay : a penalty toward a target, or None.
    second : a second task, or None. The first hidden width is then that of the adapters, of which
        each task has its own, and the prior acts on the layers between the other hidden widths.
    optimizer : ``adam``, ``sgd`` with momentum 0.9, ``adamw``, or ``madam``.
    learning_rate : greater than 0.
    weight_decay : for ``adamw`` only: a step with learning rate $\eta$ first multiplies every
        learned parameter by $1 - \eta \lambda$, where $\lambda$ is this number.
    learning_rate_decay : ``linear`` or ``cosine`` decay to zero; default: constant.
    folded : instead of attaching the prior, train the effective weights themselves, with these
        parts of the prior's effect on the optimiser: see :mod:`spatialnb.priors.folded_optimizer`.
    positions : ``plane``: pixels at their real coordinates on the 2-D pixel grid, see
        :func:`spatialnb.priors.geometry.plane`; default: the 1-D index order of each layer.
    permuted_pixels : on the pixel grid, the seed of a permutation of the pixels' positions.
    sparse : zeros from the first step on, or None; see :class:`~spatialnb.config.sparsity.Sparse`.
    prune : weights set to zero after training, or None; see
        :class:`~spatialnb.config.sparsity.Prune`.
    asymmetric : fixed weights in a network without a prior, see
        :mod:`spatialnb.config.asymmetric`.
    interventions : anything else that acts during training, see
        :mod:`spatialnb.config.intervention`.
    batch_size : samples per step; the last batch of an epoch may be smaller.
    epochs : passes over the training split.
    seed : determines initialisation and batch order, so arms with the same seed are paired.

    Raises
    ------
    TypeError : a field has the wrong type. ValueError : a value is out of range.
    """

    dataset: str = "cifar10-jpeg"
    train_size: int | None = None
    validation_size: int | None = None
    network: str | None = None
    hidden: tuple[int, ...] = (256, 128)
    initialisation: str | None = None
    initial_std: float | None = None
    input_scaling: str | None = None
    activation: str | None = None
    dead_neurons: bool | None = None
    permuted_units: int | None = None
    augmentation: str | None = None
    dropout: float | None = None
    label_smoothing: float | None = None
    rotation: bool | None = None
    learned_rotation: bool | None = None
    mask_locality: bool | None = None
    reparametrisation: str | None = None
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
    interventions: tuple[Intervention, ...] | None = None
    batch_size: int = 128
    epochs: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        self._settle()
        check_name("dataset", self.dataset)
        self._check_names()
        self._check_numbers()
        exclusions.check(self)
        self._check_optimizer()
        self._check_positions()
        self._check_prior()
        if self.second is not None and len(self.hidden) < 2:
            raise ValueError(f"hidden: two tasks need at least 2 widths, got {list(self.hidden)}")
        for intervention in self.interventions or ():
            intervention.check(self)

    def _settle(self) -> None:
        """Normalise equivalent settings, so that they give the same id."""
        for name in ("dead_neurons", "rotation", "learned_rotation", "mask_locality"):
            if getattr(self, name) is False:
                object.__setattr__(self, name, None)
        if self.interventions == ():
            object.__setattr__(self, "interventions", None)
        if self.folded is not None:
            _check_parts(self.folded)
            ordered = tuple(part for part in PARTS if part in self.folded)
            object.__setattr__(self, "folded", ordered)

    def _check_names(self) -> None:
        actions.check(self.action)
        optimizers.check(self.optimizer)
        registries: tuple[tuple[Functions[Any], str | None, str], ...] = (
            (networks, self.network, "for a multilayer perceptron"),
            (activations, self.activation, "for ReLU"),
            (initialisations, self.initialisation, "for Kaiming normal"),
        )
        for registry, name, without in registries:
            if name is not None and name not in registry:
                message = unknown(registry.what, name, dict.fromkeys(registry))
                raise ValueError(f"{message} Leave {registry.what} out {without}.")
        if self.input_scaling is not None and self.input_scaling not in INPUT_SCALINGS:
            known = unknown("input_scaling", self.input_scaling, dict.fromkeys(INPUT_SCALINGS))
            raise ValueError(f"{known} Leave input_scaling out to standardise.")
        if self.augmentation not in (None, *AUGMENTATIONS):
            ways = dict.fromkeys(AUGMENTATIONS)
            raise ValueError(unknown("augmentation", str(self.augmentation), ways))
        if self.reparametrisation not in (None, *REPARAMETRISATIONS):
            ways = dict.fromkeys(REPARAMETRISATIONS)
            raise ValueError(unknown("reparametrisation", str(self.reparametrisation), ways))
        if self.learning_rate_decay is not None:
            lr_schedules.decays.check(self.learning_rate_decay)

    def _check_numbers(self) -> None:
        for width in self.hidden:
            _at_least("hidden", width, 1)
        for name, least in (
            ("train_size", 1),
            ("validation_size", 1),
            ("permuted_units", 1),
            ("weight_decay", 0),
            ("batch_size", 1),
            ("epochs", 1),
        ):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), least)
        for name in ("learning_rate", "initial_std"):
            value = getattr(self, name)
            if value is not None and value <= 0.0:
                raise ValueError(f"{name}: expected a number > 0, got {value}")
        for name in ("dropout", "label_smoothing"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < 1.0:
                raise ValueError(f"{name}: expected a fraction between 0 and 1, got {value:g}")
        if (self.initialisation == "normal") != (self.initial_std is not None):
            raise ValueError(
                "initial_std: required with the initialisation normal, not allowed with others"
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed: expected 0 to {LARGEST_SEED}, got {self.seed}")

    def _check_optimizer(self) -> None:
        if (self.optimizer in DECAYING) != (self.weight_decay is not None):
            raise ValueError(
                f"weight_decay: required with the optimizer {' or '.join(DECAYING)}, not allowed "
                "with others"
            )

    def _check_positions(self) -> None:
        if self.positions is not None and self.positions not in POSITIONS:
            known = unknown("positions", self.positions, dict.fromkeys(POSITIONS))
            raise ValueError(f"{known} Leave positions out for 1-D index order.")
        if self.permuted_pixels is None:
            return
        if self.positions is None:
            raise ValueError(
                "permuted_pixels: pixels have positions only on the plane; set positions to plane"
            )
        if not 0 <= self.permuted_pixels <= LARGEST_SEED:
            raise ValueError(
                f"permuted_pixels: expected a seed from 0 to {LARGEST_SEED}, got "
                f"{self.permuted_pixels}"
            )

    def _check_prior(self) -> None:
        """Check settings that need a certain prior, or none."""
        if self.folded is not None and self.action != "multiply":
            raise ValueError("folded: only the action multiply can be folded, without decay")
        plain = (self.action, self.schedule) == ("multiply", Static())
        for name in ("asymmetric", "reparametrisation"):
            if getattr(self, name) is not None and not plain:
                raise ValueError(f"{name}: expected a network without a prior")
        if self.sparse is not None and self.sparse.method == "st3" and not plain:
            raise ValueError("sparse: the method st3 expects a network without a prior")
        if self.sparse is not None and self.sparse.rounds is not None:
            self._check_rounds(self.sparse.rounds, self.sparse.rewind or 0)
        by_kernel = self.prune is not None and "kernel" in self.prune.by
        if by_kernel and isinstance(self.schedule.at(1.0), Uniform | Averaged):
            raise ValueError(
                "prune: by kernel needs kernel values that differ within a layer, but this kernel "
                "is constant; prune by magnitude or random"
            )

    def _check_rounds(self, rounds: int, rewind: int) -> None:
        if self.epochs % rounds:
            raise ValueError(
                f"epochs: {self.epochs} cannot be divided into the {rounds} equal rounds of "
                f"iterative magnitude pruning; give a multiple of {rounds}"
            )
        if rewind >= self.epochs // rounds:
            raise ValueError(
                f"sparse: a round has {self.epochs // rounds} epochs, and rewind must be less than "
                f"that; got {rewind}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The run as plain JSON data, with schema and recipe."""
        return {"schema": SCHEMA, "recipe": RECIPE, **encode(self)}

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON."""
        return digest(self.to_dict())[:16]

    def earlier_ids(self) -> dict[int, str]:
        """The run's ids under earlier recipe numbers; records with these ids no longer count."""
        plain = self.to_dict()
        return {
            recipe: digest({**plain, "recipe": recipe})[:16] for recipe in range(1, plain["recipe"])
        }

    @classmethod
    def from_dict(cls, data: Any) -> Run:
        """Create a run from the output of :meth:`to_dict`.

        Raises
        ------
        ValueError : another schema or recipe, an unknown field, or an invalid value.
        """
        if not isinstance(data, dict):
            raise ValueError(f"run: expected an object, got {data!r}")
        plain = dict(data)
        for name, ours in (("schema", SCHEMA), ("recipe", RECIPE)):
            theirs = plain.pop(name, None)
            if theirs != ours:
                raise ValueError(
                    f"run: its {name} is {theirs!r}, but this version of spatialnb has {ours}. "
                    "Read it with the version that wrote it, or train it again."
                )
        try:
            return decode(cls, plain, "run")
        except TypeError as error:
            raise ValueError(f"run: {error}") from error


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: the text from which ids and checksums are computed."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(data: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def _check_parts(parts: tuple[str, ...]) -> None:
    for part in parts:
        if part not in PARTS:
            raise ValueError(unknown("part of folded", part, dict.fromkeys(PARTS)))
    if not parts or len(set(parts)) < len(parts):
        raise ValueError(
            f"folded: expected one or more of {', '.join(PARTS)}, without repeats, got "
            f"{list(parts)}"
        )


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name}: expected at least {least:g}, got {value:g}")
