"""c9a: the usual recipe tuned for networks with real zeros, on images that are held out."""

from __future__ import annotations

import dataclasses

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.studies.c7a_search import RECIPES, arm
from spatialnb.study.study import Quick, Study

PERMUTATION = 1000
"""Seed of the permuted pixels, as in c3."""
ZEROS = 0.942
"""Of the first layer: the log's largest "sparsity", with real zeros."""
BUDGET = 20
"""Of c7a's draws, each with both starts of :data:`STARTS`: as many settings an arm as in c7a."""
STARTS = {"": None, ", dense start": "dense"}
"""Whose inputs the first weights are drawn for, by what it adds to an arm's name: those that are
left, or all (``Sparse.fan_in``)."""


def masked(zeros: float, places: str, method: str = "static") -> Run:
    """A network whose first layer alone is sparse, from the first step on."""
    sparse = Sparse(zeros=zeros, places=places, method=method, layers="first")
    return Run(sparse=sparse, positions="plane" if places in ("nearest", "window") else None)


def local(zeros: float) -> dict[str, Run]:
    """Each unit keeps its nearest pixels, the same with pixels permuted, or as many at random."""
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
"""First layers with 94.2 % zeros. The dense network and the kernel on the plane are c7a's."""


def tried(name: str, run: Run) -> dict[str, Run]:
    """The runs of an arm by name: every draw with every start."""
    return {
        arm(name + said, number): dataclasses.replace(
            run,
            sparse=run.sparse and dataclasses.replace(run.sparse, fan_in=fan_in),
            validation_size=5000,
            **recipe.settings(),
        )
        for said, fan_in in STARTS.items()
        for number, recipe in enumerate(RECIPES[:BUDGET], 1)
    }


GRID = {name: tried(name, run) for name, run in ARMS.items()}
"""The runs of every arm, in the order of starts and draws. The best is chosen as in c7a."""

STUDY = Study(
    id="c9a",
    title="Real zeros, on images held out",
    section="",
    question="Which learning rate, decays and start suit each kind of sparse first layer?",
    changes="Changes relative to c7a: first layers with 94.2 % zeros; the first twenty draws, "
    "each with two starts.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("nearest", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
