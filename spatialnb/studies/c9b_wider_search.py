"""c9b: the same search for a wider first layer with more zeros."""

from __future__ import annotations

import dataclasses

from spatialnb.config.run import Run
from spatialnb.studies.c7a_search import arm
from spatialnb.studies.c9a_search import LOWER, draws, local, masked, tried
from spatialnb.study.study import Quick, Study

WIDE = (1024, 128)
"""Hidden widths."""
ZEROS = 0.98
"""Fraction of zeros in the first layer, which keeps 61,440 of 3,145,728 weights."""

ARMS = {
    name: dataclasses.replace(run, hidden=WIDE)
    for name, run in {**local(ZEROS), "window": masked(ZEROS, "window"), "dense": Run()}.items()
}

DRAWS = (*draws(), *LOWER)
"""The draws of c9a, and ten with lower learning rates, because a best draw was at the lowest."""

GRID = {name: tried(name, run, DRAWS) for name, run in ARMS.items()}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9b",
    title="Real zeros in a wider layer, on held-out images",
    section="",
    question="Which learning rate, decay and weight decay suits each wide first layer?",
    changes="Changes relative to c9a: 1,024 units in the first layer, 98 % zeros, one seed.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("nearest", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),  # a run takes four times as long as one of c9a
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0,), validation_size=200),
)
