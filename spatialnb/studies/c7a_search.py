"""c7a: a random search over the usual training recipe for every arm, on held-out images."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential, Shuffled
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.study.study import Quick, Study

K15 = Exponential(k=15.0)
ARMS = {
    "none": Run(),
    "per-layer scalar": Run(
        schedule=Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
    ),
    "line, k 3 → 50": Run(schedule=Sharpen(k_start=3, k_end=50)),
    "plane, k = 15": Run(schedule=Static(kernel=K15), positions="plane"),
    "permuted, k = 15": Run(schedule=Static(kernel=K15), positions="plane", permuted_pixels=1000),
    "shuffled, k = 15": Run(
        schedule=Static(kernel=Shuffled(kernel=K15, seed=1000)), positions="plane"
    ),
}
"""The baseline, the best per-layer scalar under Adam (c2d), the log's best kernel (v11), the best
kernel on the pixel grid (c3), and two controls of its positions."""

BUDGET = 40
"""Number of draws, which are the same for every arm."""
SEED = 7
"""Seed of the draws."""
LOWEST_RATE, OCTAVES = 5e-4, 7.0
"""Learning rates are log-uniform from 0.0005 to 0.064."""
LOWEST_DECAY, DECADES = 3e-3, 3.0
"""Weight decays are log-uniform from 0.003 to 3."""
NO_DECAY = 0.2
"""Probability of a weight decay of 0, with which AdamW equals Adam."""


class Recipe(NamedTuple):
    """One draw: learning rate, its decay (``linear`` or ``cosine``), and weight decay."""

    learning_rate: float
    learning_rate_decay: str
    weight_decay: float

    def settings(self) -> dict[str, Any]:
        """The recipe as settings of a run."""
        return {"optimizer": "adamw", **self._asdict()}


class Ranges(NamedTuple):
    """Log-uniform ranges from which recipes are drawn.

    Learning rates lie from `rate` to `rate` times 2 to the `octaves`, weight decays from `decay` to
    `decay` times 10 to the `decades`.
    """

    rate: float = LOWEST_RATE
    octaves: float = OCTAVES
    decay: float = LOWEST_DECAY
    decades: float = DECADES


RANGES = Ranges()
"""Ranges of the first search."""


def draws(count: int, seed: int = SEED, ranges: Ranges = RANGES) -> tuple[Recipe, ...]:
    """The first recipes of the search, rounded to two significant digits.

    Parameters
    ----------
    count : how many to draw.
    seed : seed of Python's random generator, whose numbers are the same in every version.
    ranges : ranges of learning rate and weight decay.
    """
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        rate = ranges.rate * 2.0 ** (ranges.octaves * chance.random())
        decay = ranges.decay * 10.0 ** (ranges.decades * chance.random())
        without = chance.random() < NO_DECAY
        falls = "linear" if chance.random() < 0.5 else "cosine"
        found.append(Recipe(float(f"{rate:.2g}"), falls, 0.0 if without else float(f"{decay:.2g}")))
    return tuple(found)


RECIPES = draws(BUDGET)
"""All recipes that are tried."""


def arm(name: str, number: int) -> str:
    """The study's name for an arm with a given draw, counted from 1."""
    return f"{name}, draw {number:02}"


def at_draw(grid: Mapping[str, Mapping[str, Run]], name: str, number: int) -> Run:
    """An arm of a search with one of its draws, on all training images and on test images."""
    return dataclasses.replace(grid[name][arm(name, number)], validation_size=None)


GRID = {
    name: {
        arm(name, number): dataclasses.replace(run, validation_size=5000, **recipe.settings())
        for number, recipe in enumerate(RECIPES, 1)
    }
    for name, run in ARMS.items()
}
"""The runs of every arm, in the order of the draws.

An arm's best draw has the highest validation accuracy, averaged over two seeds, among draws in
which no seed failed. If it lies in the outer tenth of a range that could be wider, the range is
widened for all arms before anything is measured on test images.
"""

STUDY = Study(
    id="c7a",
    title="The usual recipe, on held-out images",
    section="",
    question="Which learning rate, decay and weight decay suits each arm under AdamW?",
    changes="Changes relative to c2c: AdamW with a learning rate that falls to zero; forty random "
    "draws of learning rate, its fall and weight decay, the same for every arm.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("none", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
