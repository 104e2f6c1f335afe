"""c9e: the search of c9a on MNIST."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.studies.c7a_search import arm
from spatialnb.studies.c9a_search import HIGHER, draws, tried
from spatialnb.studies.c9d_longer_search import BASES
from spatialnb.study.study import Quick, Study

ARMS = {name: replace(run, dataset="mnist") for name, run in BASES.items()}

DRAWS = (*draws(), *HIGHER)
"""The draws of c9a, and six with higher learning rates, because a best draw was at the highest."""

GRID = {name: tried(name, run, DRAWS) for name, run in ARMS.items()}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9e",
    title="Real zeros on digits, on held-out images",
    section="",
    question="Which learning rate, decays and start suit each first layer on MNIST?",
    changes="Changes relative to c9a: MNIST; dense layers, too.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("none", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10-jpeg", "cifar10"),
    any_engine=True,
    quick=Quick(dataset="quick-digits", epochs=1, seeds=(0,), validation_size=200),
)
