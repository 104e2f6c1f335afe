"""c7h: what does a small convolutional network reach with its own settings?"""

from __future__ import annotations

from spatialnb.studies import c7g_convolution_search as search
from spatialnb.studies import c9_local_and_sparse as c9
from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.studies.c7a_search import at_draw
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {"as many operations": 17, "as many weights": 14}
"""The draw of c7g with the best validation accuracy, counted from 1, for every arm."""


STUDY = Study(
    id="c7h",
    title="Small convolutional networks",
    section="",
    question="How accurate is a small convolutional network with its own settings?",
    changes="Changes relative to c7c: settings chosen for convolutional networks in c7g, on images "
    "held out; a larger one with as many weights as c9's networks have left. Ten seeds.",
    arms={name: at_draw(search.GRID, name, CHOSEN[name]) for name in search.ARMS},
    borrowed_arms={
        "c7/plane, k = 15": at_its_best("plane, k = 15"),
        "c9/nearest": c9.STUDY.arms["nearest"],
    },
    baseline="as many operations",
    metrics=("accuracy", "train_loss", "test_loss"),
    seeds=tuple(range(10)),
    datasets=("cifar10",),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=2, seeds=(0, 1)),
    # Written after c7c, in which the smaller network had settings tuned for other networks.
    claims=(
        Claim(
            chapter="c7h",
            since=2,
            key="convolution-beats-the-plane",
            words="A small convolutional network with as many operations as the multilayer "
            "perceptron beats the kernel on the pixel grid, each at its best.",
            rule="beats",
            arm="as many operations",
            against="c7/plane, k = 15",
            note="If so, weights that are shared are worth more than positions alone.",
        ),
        Claim(
            chapter="c7h",
            since=2,
            key="convolution-beats-local-zeros",
            words="A small convolutional network with as many weights as are left of a local first "
            "layer beats that layer, each at its best.",
            rule="beats",
            arm="as many weights",
            against="c9/nearest",
            note="It computes eleven times as much for an image.",
        ),
    ),
)
