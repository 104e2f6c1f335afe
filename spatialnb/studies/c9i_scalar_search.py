"""c9i: the searches of c9a and c9b for first layers that also have a static scalar."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.studies.c7a_search import arm
from spatialnb.studies.c7e_scalar_search import ARMS as SCALARS
from spatialnb.studies.c7e_scalar_search import SCALAR
from spatialnb.studies.c9a_search import HIGHER, ZEROS, draws, local, tried
from spatialnb.studies.c9b_wider_search import WIDE
from spatialnb.studies.c9b_wider_search import ZEROS as WIDE_ZEROS
from spatialnb.study.study import Quick, Study


def with_scalar(run: Run) -> Run:
    """The run with the static scalar of c7e on all layers."""
    return replace(run, schedule=SCALARS[SCALAR].schedule, positions="plane")


ARMS = {
    **{f"{name}, scalar": with_scalar(run) for name, run in local(ZEROS).items()},
    **{
        f"wide: {name}, scalar": replace(with_scalar(run), hidden=WIDE)
        for name, run in {**local(WIDE_ZEROS), "dense": Run()}.items()
    },
}
"""Sparse and wide first layers with a static scalar, which helps a dense network in c7e."""

DRAWS = (*draws(), *HIGHER)
"""The draws of c9a, and six with higher learning rates, because a best draw was at the highest."""

GRID = {name: tried(name, run, DRAWS) for name, run in ARMS.items()}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9i",
    title="Real zeros and a static scalar, on held-out images",
    section="",
    question="Which learning rate, decays and start suit sparse and wide first layers with a "
    "static scalar?",
    changes="Changes relative to c9a and c9b: a static scalar, the mean of the kernel on the "
    "pixel grid.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("nearest, scalar", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0,), validation_size=200),
)
