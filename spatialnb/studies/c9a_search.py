"""c9a: a search over the usual recipe for networks with real zeros, on held-out images."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.studies.c7a_search import LOWEST_RATE, OCTAVES, RECIPES, Ranges, Recipe, arm
from spatialnb.studies.c7a_search import draws as recipe_draws
from spatialnb.study.study import Quick, Study

PERMUTATION = 1000
"""Seed of the permuted pixels, as in c3."""
ZEROS = 0.942
"""Fraction of zeros in the first layer: the log's largest "sparsity", but with real zeros."""
BUDGET = 20
"""How many of c7a's draws, from the first on, are tried for each arm."""
SEED = 9
"""Seed of the additional setting that is drawn, the initial scale."""
STARTS = (None, "dense")
"""Fan-in for the initial weights: that of the kept inputs, or of all (``Sparse.fan_in``)."""


class Draw(NamedTuple):
    """A recipe of c7a, and a value of ``Sparse.fan_in``."""

    recipe: Recipe
    start: str | None


def draws(count: int = BUDGET, seed: int = SEED) -> tuple[Draw, ...]:
    """The first draws: recipes of c7a, with both values of :data:`STARTS` equally often."""
    starts = [*STARTS * math.ceil(count / 2)][:count]
    random.Random(seed).shuffle(starts)
    return tuple(Draw(*pair) for pair in zip(RECIPES[:count], starts, strict=True))


def more_draws(count: int, seed: int, ranges: Ranges) -> tuple[Draw, ...]:
    """Draws from a wider range, because a best draw was at an edge of the first range.

    They were added for all arms of a search, before anything was measured on test images.
    """
    starts = [*STARTS * math.ceil(count / 2)][:count]
    random.Random(seed).shuffle(starts)
    recipes = recipe_draws(count, seed, ranges)
    return tuple(Draw(*pair) for pair in zip(recipes, starts, strict=True))


LOWER = more_draws(10, 10, Ranges(rate=LOWEST_RATE / 8, octaves=3.0))
"""Ten draws with learning rates from 0.00006 to 0.0005."""
HIGHER = more_draws(6, 11, Ranges(rate=LOWEST_RATE * 2**OCTAVES, octaves=2.0))
"""Six draws with learning rates from 0.064 to 0.256."""
STRONGER = more_draws(6, 12, Ranges(rate=LOWEST_RATE / 8, octaves=6.0, decay=1.0, decades=1.0))
"""Six draws with weight decays from 1 to 10, or 0, and rates from 0.00006 to 0.004."""


def masked(zeros: float, places: str, method: str = "static") -> Run:
    """A network with a sparse first layer, from the first step on; its other layers are dense."""
    sparse = Sparse(zeros=zeros, places=places, method=method, layers="first")
    return Run(sparse=sparse, positions="plane" if places in ("nearest", "window") else None)


def local(zeros: float) -> dict[str, Run]:
    """Each unit keeps its nearest pixels, the nearest permuted pixels, or as many random inputs."""
    nearest = masked(zeros, "nearest")
    return {
        "nearest": nearest,
        "permuted": dataclasses.replace(nearest, permuted_pixels=PERMUTATION),
        "random": masked(zeros, "random"),
    }


ARMS = {
    **local(ZEROS),
    "window": masked(ZEROS, "window"),
    "line": dataclasses.replace(masked(ZEROS, "nearest"), positions=None),
    "SET": masked(ZEROS, "random", "set"),
    "RigL": masked(ZEROS, "random", "rigl"),
}
"""First layers with 94.2 % zeros. Dense networks and the kernel on the pixel grid are in c7a."""


def tried(name: str, run: Run, drawn: Sequence[Draw] = draws()) -> dict[str, Run]:
    """The runs of an arm, by name, in the order of the draws."""
    return {
        arm(name, number): dataclasses.replace(
            run,
            sparse=run.sparse and dataclasses.replace(run.sparse, fan_in=one.start),
            validation_size=5000,
            **one.recipe.settings(),
        )
        for number, one in enumerate(drawn, 1)
    }


GRID = {name: tried(name, run) for name, run in ARMS.items()}
"""All runs by arm. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9a",
    title="Real zeros, on held-out images",
    section="",
    question="Which learning rate, decays and start suit each kind of sparse first layer?",
    changes="Changes relative to c7a: first layers with 94.2 % zeros; the first twenty draws, "
    "each with a start that is drawn too.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("nearest", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0,), validation_size=200),
)
