"""c7e: c7a's search for a static scalar, and for a static kernel in index order."""

from __future__ import annotations

import dataclasses

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged
from spatialnb.priors.schedules import Static
from spatialnb.studies.c7a_search import K15, RECIPES, arm
from spatialnb.study.study import Quick, Study

SCALAR = "static scalar"
LINE = "line, k = 15"
ARMS = {
    SCALAR: Run(schedule=Static(kernel=Averaged(kernel=K15)), positions="plane"),
    LINE: Run(schedule=Static(kernel=K15)),
}
"""A per-layer scalar, the mean of the kernel with k = 15 on the pixel grid; and the log's static
kernel in index order, since c7 has only its sharpening kernel."""

GRID = {
    name: {
        arm(name, number): dataclasses.replace(run, validation_size=5000, **recipe.settings())
        for number, recipe in enumerate(RECIPES, 1)
    }
    for name, run in ARMS.items()
}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a."""

STUDY = Study(
    id="c7e",
    title="A static scalar and a static kernel, on held-out images",
    section="",
    question="Which learning rate, decay and weight decay suits a static scalar, and a static "
    "kernel in index order?",
    changes="Changes relative to c7a: a static scalar, the mean of the kernel on the pixel grid; "
    "k = 15 in index order.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm(SCALAR, 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
