"""c7d: what does a prior add to the usual recipe if training is five times as long?"""

from __future__ import annotations

from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

EPOCHS = 60
"""Five times as many as in other chapters."""
PLAIN = ("none", "per-layer scalar", "plane, k = 15", "permuted, k = 15")
MOVED = ("none", "plane, k = 15", "permuted, k = 15")


def moved(name: str) -> str:
    """The study's name for an arm with randomly cropped and flipped training images."""
    return f"{name}: crop and flip"


STUDY = Study(
    id="c7d",
    title="The usual recipe for sixty epochs",
    section="",
    question="Do true positions still help when training is five times as long, with "
    "augmentation and without?",
    changes="Changes relative to c7: 60 epochs; in three arms images are cropped and flipped. "
    "Settings stay those of c7a, which were chosen for 12 epochs. Ten seeds.",
    arms={
        **{name: at_its_best(name, epochs=EPOCHS) for name in PLAIN},
        **{
            moved(name): at_its_best(name, epochs=EPOCHS, augmentation="crop_flip")
            for name in MOVED
        },
    },
    baseline="none",
    compared_with={moved(name): moved("none") for name in MOVED if name != "none"},
    metrics=("accuracy", "accuracy@11", "train_loss", "test_loss"),
    seeds=tuple(range(10)),  # a run takes five times as long as one of c7
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=12, seeds=(0, 1)),
    # First the claims that, if they hold, show that longer training or more images replace
    # positions.
    claims=(
        Claim(
            chapter="c7d",
            since=2,
            key="plane-with-crop-and-flip",
            words="With crop and flip over 60 epochs the kernel on the pixel grid beats the "
            "baseline.",
            rule="beats",
            arm=moved("plane, k = 15"),
            against=moved("none"),
        ),
        Claim(
            chapter="c7d",
            since=2,
            key="permuted-with-crop-and-flip",
            words="With crop and flip over 60 epochs the kernel on the pixel grid beats the same "
            "with the pixels permuted.",
            rule="beats",
            arm=moved("plane, k = 15"),
            against=moved("permuted, k = 15"),
        ),
        Claim(
            chapter="c7d",
            since=2,
            key="plane-beats-none",
            words="After 60 epochs the kernel on the pixel grid beats the baseline.",
            rule="beats",
            arm="plane, k = 15",
            against="none",
        ),
        Claim(
            chapter="c7d",
            since=2,
            key="plane-beats-permuted",
            words="After 60 epochs the kernel on the pixel grid beats the same with the pixels "
            "permuted.",
            rule="beats",
            arm="plane, k = 15",
            against="permuted, k = 15",
        ),
        Claim(
            chapter="c7d",
            since=2,
            key="scalar-gives-nothing",
            words="After 60 epochs a per-layer scalar does not beat the baseline by half a point.",
            rule="at_least",
            arm="none",
            against="per-layer scalar",
        ),
    ),
)
