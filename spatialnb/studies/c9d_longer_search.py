"""c9d: the search of c9a with training five times as long."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.studies import c7a_search as dense
from spatialnb.studies.c7a_search import arm
from spatialnb.studies.c7e_scalar_search import ARMS as SCALARS
from spatialnb.studies.c7e_scalar_search import SCALAR
from spatialnb.studies.c9a_search import LOWER, STRONGER, ZEROS, draws, local, tried
from spatialnb.study.study import Quick, Study

EPOCHS = 60
"""Five times as many as in other chapters."""
BASES = {
    **{name: dense.ARMS[name] for name in ("none", "plane, k = 15")},
    **local(ZEROS),
    SCALAR: SCALARS[SCALAR],
}
"""Dense layers without a prior, with the kernel on the pixel grid and with a static scalar; and
the sparse layers of c9a."""
ARMS = {name: replace(run, epochs=EPOCHS) for name, run in BASES.items()}

DRAWS = (*draws(), *LOWER, *STRONGER)
"""The draws of c9a, ten with lower learning rates and six with stronger weight decay, because best
draws were at the lowest learning rate and, after that, at the strongest decay."""

GRID = {name: tried(name, run, DRAWS) for name, run in ARMS.items()}
"""All runs by arm, in the order of the draws. The best is chosen as in c7a, but on one seed."""

STUDY = Study(
    id="c9d",
    title="Real zeros for sixty epochs, on held-out images",
    section="",
    question="Which learning rate, decays and start suit each first layer where training is five "
    "times as long?",
    changes="Changes relative to c9a: 60 epochs; dense layers, too.",
    arms={name: run for runs in GRID.values() for name, run in runs.items()},
    baseline=arm("none", 1),
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0,),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=2, seeds=(0,), validation_size=200),
)
