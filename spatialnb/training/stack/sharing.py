"""Group runs that can be trained as one program. Does not need torch."""

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
"""The optimiser whose runs form separate stacks; all others are variants of Adam."""
FINISHING = ("permuted_units",)
"""Settings that measure the trained network, one run at a time."""
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
"""Settings that may differ between the runs of a stack; of ``decay``, ``keep_sign`` must be the
same in all."""
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
"""Settings that all runs of a stack share."""
KNOWN: dict[str, tuple[str | None, ...]] = {
    "optimizer": ("adam", "adamw", SGD),
    "action": ("multiply", "normalise", *CAPS),
    "network": (None, "convolutional", "transformer"),
    "activation": (None, "leaky_relu"),
}
"""Values of these settings that a stack supports; user-defined ones are trained by the loop."""


def unknown_settings(run: Run) -> list[str]:
    """Names of a run's settings that a stack does not support, sorted."""
    plain = Run()
    asked = {name for name, value in vars(run).items() if value != getattr(plain, name)}
    unknown = asked - {*OWN, *SHARED}
    unknown |= {name for name in KNOWN if getattr(run, name) not in KNOWN[name]}
    return sorted(unknown | ({"sparse"} if run.sparse and not _is_masked(run) else set()))


def stackable(run: Run) -> bool:
    """Whether a stack supports all settings of the run; other runs are trained by the loop."""
    return not unknown_settings(run)


def _is_masked(run: Run) -> bool:
    """Whether a sparse run has a fixed mask in its first layer only, and a multiplicative prior.

    The mask can then be part of the kernel values.
    """
    sparse = run.sparse
    stays = sparse is not None and sparse.method == "static" and sparse.layers == "first"
    return stays and run.action == "multiply"


def is_plain(run: Run) -> bool:
    """Whether a stackable run is a multilayer perceptron with ReLU and a multiplicative prior.

    Its gradients are explicit; those of other runs are computed by :mod:`torch.func`.
    """
    others = (run.network, run.activation, run.label_smoothing, run.decay)
    return run.action == "multiply" and all(other is None for other in others)


def stacks(runs: Iterable[Run], most: int) -> list[list[Run]]:
    """Group runs that can share a program, into stacks of at most `most` and of similar size.

    If it takes no more than one extra group, all runs of a seed are put in the same group, and
    every group has the same number of runs per seed, so that these share their batches, see
    :func:`by_seed`.

    Raises
    ------
    ValueError : a run is not :func:`stackable`, or `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"a stack needs at least 1 run, got {most}")
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if not stackable(run):
            raise ValueError(f"run {run.id} cannot be stacked; train it in the loop")
        groups.setdefault(_shared(run), []).append(run)
    return [stack for group in groups.values() for stack in _divided(group, most)]


def _shared(run: Run) -> str:
    """A key that is equal for runs that can share a program."""
    plain = encode(run)
    shared = {name: plain[name] for name in SHARED if name in plain}
    decay = run.decay and f"keeps signs: {bool(run.decay.keep_sign)}"
    return str((shared, decay, run.optimizer == SGD))


def _divided(group: Sequence[Run], most: int) -> list[list[Run]]:
    """Divide the runs of one program into as few stacks as possible, if possible by whole seeds."""
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
    """Divide things, in order, into as few parts of at most `most` as possible, of similar size."""
    parts = math.ceil(len(things) / most)
    size = math.ceil(len(things) / max(parts, 1))
    return [list(things[start : start + size]) for start in range(0, len(things), max(size, 1))]


class BySeed(NamedTuple):
    """An order of runs in which those of the same seed are adjacent.

    `order` are indices into the given runs. `seeds` is the number of seeds; if seeds have different
    numbers of runs, every run counts as a separate seed.
    """

    order: list[int]
    seeds: int


def by_seed(runs: Sequence[Run]) -> BySeed:
    """Order the runs so that those of the same seed share their batches.

    One gather and one wide product in the first layer then serve all runs of a seed.
    """
    places: dict[int, list[int]] = {}
    for place, run in enumerate(runs):
        places.setdefault(run.seed, []).append(place)
    if len({len(group) for group in places.values()}) != 1:
        return BySeed(list(range(len(runs))), len(runs))
    return BySeed([place for group in places.values() for place in group], len(places))
