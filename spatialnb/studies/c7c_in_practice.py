"""c7c: do true positions still help with augmentation, dropout and other usual techniques?"""

from __future__ import annotations

from typing import Any

from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

ADDED: dict[str, dict[str, Any]] = {
    "crop and flip": {"augmentation": "crop_flip"},
    "512-256": {"hidden": (512, 256)},
    "dropout": {"dropout": 0.2},
    "label smoothing": {"label_smoothing": 0.1},
}
"""The techniques that are added, one at a time."""


CONVOLUTION = "convolution, as many operations"
FILTERS = (8, 16, 32)
"""Filters of a convolutional network that needs about as many multiplications per image, 0.81
million, as the multilayer perceptron, 0.82 million."""


def arm(name: str, added: str) -> str:
    """The study's name for an arm with a technique added."""
    return f"{name}: {added}"


STUDY = Study(
    id="c7c",
    title="The pixel grid with augmentation and other usual techniques",
    section="",
    question="Do true positions still help together with augmentation, dropout, label smoothing or "
    "a wider network?",
    changes="Changes relative to c7: one thing is added at a time; settings stay those of c7a, "
    "which were chosen without it. Beside them a convolutional network. Ten seeds.",
    arms={
        arm(name, added): at_its_best(name, **changes)
        for added, changes in ADDED.items()
        for name in ("none", "plane, k = 15")
    }
    | {CONVOLUTION: at_its_best("none", network="convolutional_pooled", hidden=FILTERS)},
    borrowed_arms={"c7/plane, k = 15": at_its_best("plane, k = 15")},
    baseline=arm("none", "crop and flip"),
    compared_with={
        **{arm("none", added): arm("none", added) for added in ADDED},
        **{arm("plane, k = 15", added): arm("none", added) for added in ADDED},
        CONVOLUTION: CONVOLUTION,
    },
    metrics=("accuracy", "train_loss", "test_loss"),
    seeds=tuple(range(10)),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that the usual techniques replace positions.
    claims=(
        *(
            Claim(
                chapter="c7c",
                since=2,
                key=f"plane-with-{key}",
                words=f"With {words} the kernel on the pixel grid beats the baseline.",
                rule="beats",
                arm=arm("plane, k = 15", added),
                against=arm("none", added),
            )
            for added, key, words in (
                ("crop and flip", "crop-and-flip", "crop and flip"),
                ("512-256", "512-256", "twice as many hidden units"),
                ("dropout", "dropout", "dropout"),
                ("label smoothing", "label-smoothing", "label smoothing"),
            )
        ),
        Claim(
            chapter="c7c",
            since=2,
            key="convolution-beats-the-plane",
            words="A small convolutional network with as many operations beats the kernel on the "
            "pixel grid.",
            rule="beats",
            arm=CONVOLUTION,
            against="c7/plane, k = 15",
            note="It has the recipe that was chosen for the baseline. If so, weights that are "
            "shared are worth more than positions alone.",
        ),
    ),
)
