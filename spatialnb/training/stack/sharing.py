"""Which runs can be trained as one program, and in which groups. Found without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from spatialnb.config.run import Run
from spatialnb.priors.actions import CAPS
from spatialnb.registry import encode

T = TypeVar("T")

SGD = "sgd"
"""The optimiser that a stack has for itself: the others are Adam's."""
FINISHING = ("permuted_units",)
"""Settings that measure a network once it is trained, one run after the other."""
OWN = (
    "seed",
    "schedule",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "learning_rate_decay",
    "positions",
    "permuted_pixels",
    "initialisation",
    "initial_std",
    "decay",
    "sparse",
    *FINISHING,
)
"""Settings that each run of a stack may have for itself; of a decay, whether it keeps signs is one
that all have in common."""
SHARED = (
    "dataset",
    "train_size",
    "validation_size",
    "network",
    "hidden",
    "input_scaling",
    "activation",
    "label_smoothing",
    "action",
    "batch_size",
    "epochs",
)
"""Settings that a stack has in common."""
KNOWN: dict[str, tuple[str | None, ...]] = {
    "optimizer": ("adam", "adamw", SGD),
    "action": ("multiply", "normalise", *CAPS),
    "network": (None, "convolutional", "transformer"),
    "activation": (None, "leaky_relu"),
}
"""Of these settings the values that a stack knows: one of your own is the loop's."""


def unknown_settings(run: Run) -> list[str]:
    """What a stack does not know of a run: the names of settings, in order."""
    plain = Run()
    asked = {name for name, value in vars(run).items() if value != getattr(plain, name)}
    unknown = asked - {*OWN, *SHARED}
    unknown |= {name for name in KNOWN if getattr(run, name) not in KNOWN[name]}
    return sorted(unknown | ({"sparse"} if run.sparse and not _is_masked(run) else set()))


def stackable(run: Run) -> bool:
    """Whether a stack knows everything that the run asks for: other runs are the loop's."""
    return not unknown_settings(run)


def _is_masked(run: Run) -> bool:
    """Whether a sparse run has a mask that stays, of its first layer, and a prior that multiplies.

    A mask is then part of the kernel values.
    """
    sparse = run.sparse
    stays = sparse is not None and sparse.method == "static" and sparse.layers == "first"
    return stays and run.action == "multiply"


def is_plain(run: Run) -> bool:
    """Whether a stackable run is a multilayer perceptron with ReLU and a prior that multiplies.

    Its gradients are written out; those of other runs are :mod:`torch.func`'s.
    """
    others = (run.network, run.activation, run.label_smoothing, run.decay)
    return run.action == "multiply" and all(other is None for other in others)


def stacks(runs: Iterable[Run], most: int) -> list[list[Run]]:
    """Runs that can share a program, in groups of at most `most` and of about one size.

    Every run of a seed stands in one group, and every group has as many runs of each of its seeds,
    where that makes no group more: such runs share their batches, see :func:`by_seed`.

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
        groups.setdefault(_shared(run), []).append(run)
    return [stack for group in groups.values() for stack in _divided(group, most)]


def _shared(run: Run) -> str:
    """The same for runs that can share a program."""
    plain = encode(run)
    shared = {name: plain[name] for name in SHARED if name in plain}
    decay = run.decay and f"keeps signs: {bool(run.decay.keep_sign)}"
    return str((shared, decay, run.optimizer == SGD))


def _divided(group: Sequence[Run], most: int) -> list[list[Run]]:
    """The runs of one program in as few stacks as can be, whole seeds together where it is so."""
    seeds: dict[int, list[Run]] = {}
    for run in group:
        seeds.setdefault(run.seed, []).append(run)
    in_order = [run for runs in seeds.values() for run in runs]
    arms = max(map(len, seeds.values()))
    if len(seeds) * arms == len(group) and arms <= most:
        whole = [list(chain(*part)) for part in _evenly(list(seeds.values()), most // arms)]
        if len(whole) <= math.ceil(len(group) / most) + 1:
            return whole
    return _evenly(in_order, most)


def _evenly(things: Sequence[T], most: int) -> list[list[T]]:
    """The things in order, in as few parts of at most `most` as can be, of about one size."""
    parts = math.ceil(len(things) / most)
    size = math.ceil(len(things) / max(parts, 1))
    return [list(things[start : start + size]) for start in range(0, len(things), max(size, 1))]


class BySeed(NamedTuple):
    """An order of runs in which those of one seed stand together.

    `order` are places among the runs that were given. `seeds` is how many seeds share their
    batches; where seeds have not as many runs each, every run counts as a seed of its own.
    """

    order: list[int]
    seeds: int


def by_seed(runs: Sequence[Run]) -> BySeed:
    """The runs ordered so that those of one seed share their batches.

    One gather and one wide product of the first layer then serve all runs of a seed.
    """
    places: dict[int, list[int]] = {}
    for place, run in enumerate(runs):
        places.setdefault(run.seed, []).append(place)
    if len({len(group) for group in places.values()}) != 1:
        return BySeed(list(range(len(runs))), len(runs))
    return BySeed([place for group in places.values() for place in group], len(places))
