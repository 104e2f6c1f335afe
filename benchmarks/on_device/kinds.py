"""Runs of every kind that stacks support, and stacks of any size."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

AGAIN = ", of another seed and rate"
"""Suffix of the name of the second run of a kind."""
ARMS = 10
"""Number of arms per seed in the stacks that are timed."""


def base(made_images: bool) -> Any:
    """The reference run of the log, or a tiny one on images that need no download."""
    from spatialnb.config.run import Run

    return Run(dataset="quick-colours", hidden=(12, 8), batch_size=37) if made_images else Run()


def kinds(one: Any) -> dict[str, Any]:
    """Runs of every kind with explicit gradients, which fit into one stack."""
    from spatialnb.priors.kernels import Averaged, Exponential, Linear, Shuffled, Uniform
    from spatialnb.priors.schedules import Anneal, Sharpen, Static

    sharpen = Sharpen(k_start=3, k_end=50)
    adamw = replace(one, optimizer="adamw", weight_decay=0.1, learning_rate_decay="linear")
    return {
        "none": one,
        "exponential": replace(one, schedule=Static(kernel=Exponential())),
        "linear": replace(one, schedule=Static(kernel=Linear())),
        "shuffled": replace(one, schedule=Static(kernel=Shuffled(kernel=Exponential()))),
        "sharpening": replace(one, schedule=sharpen),
        "scalar": replace(
            one, schedule=Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
        ),
        "annealed": replace(one, schedule=Anneal(start=Exponential(), end=Uniform())),
        "linear decay": replace(one, learning_rate_decay="linear", learning_rate=0.002),
        "AdamW": adamw,
        "plane": replace(one, schedule=sharpen, positions="plane", permuted_pixels=3),
        "another seed": replace(one, seed=7),
        "small weights": replace(one, seed=7, initialisation="normal", initial_std=0.01),
    }


def others(one: Any) -> dict[str, Any]:
    """Two runs of every kind with gradients by torch.func; each kind needs a separate stack."""
    from spatialnb.config.run import Decay
    from spatialnb.priors.actions import CAPS
    from spatialnb.priors.kernels import Exponential, Scaled
    from spatialnb.priors.schedules import Static

    prior, cap = Static(kernel=Exponential()), Static(kernel=Scaled(kernel=Exponential()))
    decay = Decay(target=Exponential(), weight=0.01)
    ways = {
        **{action: replace(one, action=action, schedule=cap) for action in CAPS},
        "normalise": replace(one, action="normalise", schedule=prior),
        "decay": replace(one, decay=decay),
        "convolutional": replace(one, network="convolutional", schedule=prior),
        "transformer": replace(one, network="transformer", schedule=prior),
        "leaky ReLU": replace(one, activation="leaky_relu"),
        "smoothed labels": replace(one, label_smoothing=0.1),
    }
    again = {
        f"{name}{AGAIN}": replace(run, seed=run.seed + 1, learning_rate=0.001)
        for name, run in ways.items()
    }
    return {
        name: run for pair in zip(ways.items(), again.items(), strict=True) for name, run in pair
    }


def stack(one: Any, runs: int) -> list[Any]:
    """A stack of this many runs: ten arms per seed, or fewer of one seed."""
    arms = list(kinds(one).values())[:ARMS]
    seeds = -(-runs // ARMS)
    return [replace(arm, seed=seed) for seed in range(seeds) for arm in arms][:runs]


def search(one: Any, runs: int) -> list[Any]:
    """A search with this many runs of two seeds, with random learning rates and weight decays."""
    chance = random.Random(0)
    drawn = [
        replace(
            arm,
            optimizer="adamw",
            learning_rate=10 ** chance.uniform(-4, -2),
            weight_decay=10 ** chance.uniform(-3, 0),
            learning_rate_decay=None,
        )
        for arm in stack(one, -(-runs // 2))
    ]
    return [replace(run, seed=seed) for seed in (0, 1) for run in drawn][:runs]
