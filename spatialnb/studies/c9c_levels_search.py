"""c9c: the search of c9a at other fractions of zeros, and for a narrow dense layer."""

from __future__ import annotations

from spatialnb.config.run import Run
from spatialnb.studies.c7a_search import arm
from spatialnb.studies.c9a_search import local, tried
from spatialnb.study.study import Quick, Study

LEVELS = (0.814, 0.98, 0.99)
"""Fractions of zeros in the first layer, besides the 94.2 % of c9a."""
NARROW = (25, 128)
"""Hidden widths of a dense network with about as many weights (81,280) as c9a's networks have
non-zero weights (79,617)."""


def at_level(name: str, zeros: float) -> str:
    """The name of an arm at this fraction of zeros."""
    return f"{name}, {100 * zeros:g} %"


ARMS = {
    **{at_level(name, zeros): run for zeros in LEVELS for name, run in local(zeros).items()},
    "narrow": Run(hidden=NARROW),
}

GRID = {name: tried(name, run) for name, run in ARMS.items()}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9c",
    title="More zeros and fewer, on held-out images",
    section="",
    question="Which learning rate, decays and start suit each share of zeros?",
    changes="Changes relative to c9a: 81.4, 98 and 99 % zeros; a dense network with as many "
    "weights.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm(at_level("nearest", LEVELS[0]), 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0,), validation_size=200),
)
