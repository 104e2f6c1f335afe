"""c7g: c7a's search for small convolutional networks."""

from __future__ import annotations

import dataclasses

from spatialnb.config.run import Run
from spatialnb.studies.c7a_search import RECIPES, arm
from spatialnb.studies.c7c_in_practice import FILTERS
from spatialnb.studies.c9a_search import BUDGET
from spatialnb.study.study import Quick, Study

AS_MANY_WEIGHTS = (30, 60, 115)
"""Filters of a network with about as many weights (80,475) as c9's networks have non-zero weights
(79,617)."""
ARMS = {
    "as many operations": Run(network="convolutional_pooled", hidden=FILTERS),
    "as many weights": Run(network="convolutional_pooled", hidden=AS_MANY_WEIGHTS),
}

GRID = {
    name: {
        arm(name, number): dataclasses.replace(run, validation_size=5000, **recipe.settings())
        for number, recipe in enumerate(RECIPES[:BUDGET], 1)
    }
    for name, run in ARMS.items()
}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c7g",
    title="Small convolutional networks, on held-out images",
    section="",
    question="Which learning rate, decay and weight decay suits a small convolutional network?",
    changes="Changes relative to c7a: convolutional networks; the first twenty draws, one seed.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("as many operations", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10",),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0,), validation_size=200),
)
