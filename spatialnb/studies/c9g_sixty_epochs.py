"""c9g: do true positions and real zeros still help if training is five times as long?"""

from __future__ import annotations

from spatialnb.studies import c9d_longer_search as search
from spatialnb.studies.c7a_search import at_draw
from spatialnb.studies.c7e_scalar_search import SCALAR
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {
    "none": 27,
    "plane, k = 15": 17,
    "nearest": 12,
    "permuted": 15,
    "random": 22,
    SCALAR: 17,
}
"""The draw of c9d with the best validation accuracy, counted from 1, for every arm."""


STUDY = Study(
    id="c9g",
    title="Real zeros for sixty epochs",
    section="",
    question="Do true positions and real zeros still help when training is five times as long?",
    changes="Changes relative to c9: 60 epochs; settings chosen for each arm at 60 epochs in c9d, "
    "on held-out images. Ten seeds.",
    arms={name: at_draw(search.GRID, name, CHOSEN[name]) for name in search.ARMS},
    baseline="none",
    metrics=("accuracy", "accuracy@11", "train_loss", "test_loss"),
    seeds=tuple(range(10)),  # a run takes five times as long as one of c9
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=12, seeds=(0, 1)),
    # First the claims that, if they hold, show that longer training replaces positions.
    claims=(
        Claim(
            chapter="c9g",
            since=2,
            key="local-zeros-beat-dense",
            words="Over 60 epochs a first layer whose units keep their nearest 5.8 % of the pixels "
            "beats the dense one, each at its best.",
            rule="beats",
            arm="nearest",
            against="none",
            note="If not, locality and zeros together only save time.",
        ),
        Claim(
            chapter="c9g",
            since=2,
            key="nearest-beats-permuted",
            words="Over 60 epochs nearest pixels beat the same mask with the pixels permuted, each "
            "at its best.",
            rule="beats",
            arm="nearest",
            against="permuted",
        ),
        Claim(
            chapter="c9g",
            since=2,
            key="nearest-beats-random",
            words="Over 60 epochs nearest pixels beat as many at random, each at its best.",
            rule="beats",
            arm="nearest",
            against="random",
        ),
        Claim(
            chapter="c9g",
            since=2,
            key="zeros-cost-nothing",
            words="Over 60 epochs a random mask does at least as well as the dense layer, each at "
            "its best.",
            rule="at_least",
            arm="random",
            against="none",
        ),
        Claim(
            chapter="c9g",
            since=2,
            key="zeros-as-good-as-small-weights",
            words="Over 60 epochs nearest pixels do at least as well as all pixels under the "
            "kernel on the pixel grid, each at its best.",
            rule="at_least",
            arm="nearest",
            against="plane, k = 15",
        ),
        Claim(
            chapter="c9g",
            since=2,
            key="nearest-beats-scalar",
            words="Over 60 epochs nearest pixels beat a dense layer with a static scalar, each at "
            "its best.",
            rule="beats",
            arm="nearest",
            against=SCALAR,
        ),
    ),
)
