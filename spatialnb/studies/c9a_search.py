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
"""Settings that are tried of every arm: the first of c7a's draws."""


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

GRID = {
    name: {
        arm(name, number): dataclasses.replace(run, validation_size=5000, **recipe.settings())
        for number, recipe in enumerate(RECIPES[:BUDGET], 1)
    }
    for name, run in ARMS.items()
}
"""The runs of every arm, in the order of the draws. The best is chosen as in c7a."""

STUDY = Study(
    id="c9a",
    title="Real zeros, on images held out",
    section="",
    question="Which learning rate, decay and weight decay suits each kind of sparse first layer?",
    changes="Changes relative to c7a: first layers with 94.2 % zeros; the first twenty draws.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("nearest", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
