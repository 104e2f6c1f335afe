"""c2e: does a plain network lose neurons that the prior keeps?"""

from dataclasses import replace

from spatialnb.studies.c2_which_part import ARMS as PARTS
from spatialnb.studies.c2d_at_their_best import STUDY as AT_THEIR_BEST
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

LEAKY = "leaky"
BEST = "none at its best"
DEAD = "dead:2"
"""Dead neurons of the second hidden layer, where a first look found them."""

RELU = {
    name: replace(run, dead_neurons=True)
    for name, run in {
        "none": PARTS["none"],
        BEST: AT_THEIR_BEST.arms["none"],
        "k 3 → 50": PARTS["k 3 → 50"],
        "one number": PARTS["one number"],
    }.items()
}
NO_RELU = {
    f"{name}, {LEAKY}": replace(RELU[name], activation="leaky_relu")
    for name in ("none", BEST, "k 3 → 50")
}

STUDY = Study(
    id="c2e",
    title="Neurons that never fire",
    section="",
    question="Does a plain network lose neurons that the prior keeps, and is that the gain?",
    changes="Changes relative to c2: dead neurons are counted; leaky ReLU beside ReLU.",
    arms={**RELU, **NO_RELU},
    baseline="none",
    metrics=("accuracy", "dead:1", DEAD, "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First what would show dead neurons to be a reason for the gain, then what they leave of it.
    claims=(
        Claim(
            chapter="c2e",
            key="neurons-die",
            words="A plain network ends with more dead neurons in its second hidden layer than "
            "sharpening.",
            rule="beats",
            arm="none",
            against="k 3 → 50",
            metric=DEAD,
            note="If not, dead neurons are no part of the gain.",
        ),
        Claim(
            chapter="c2e",
            key="one-number-keeps",
            words="A plain network ends with more dead neurons in its second hidden layer than "
            "one number for all weights of a layer.",
            rule="beats",
            arm="none",
            against="one number",
            metric=DEAD,
        ),
        Claim(
            chapter="c2e",
            key="leaky-helps",
            words="With leaky ReLU, which lets no neuron die, a plain network beats itself with "
            "ReLU.",
            rule="beats",
            arm=f"none, {LEAKY}",
            against="none",
            note="If not, dead neurons cost it nothing.",
        ),
        Claim(
            chapter="c2e",
            key="leaky-half",
            words="Leaky ReLU gives a plain network more than half of sharpening's gain.",
            rule="beats",
            arm=f"none, {LEAKY}",
            against=("none", "k 3 → 50"),
            note="It is compared with the mean of none and sharpening, both with ReLU.",
        ),
        Claim(
            chapter="c2e",
            key="sharpening-needs-no-leak",
            words="Sharpening does as well with ReLU as with leaky ReLU.",
            rule="equals",
            arm="k 3 → 50",
            against=f"k 3 → 50, {LEAKY}",
            better="higher",
        ),
        Claim(
            chapter="c2e",
            key="gain-without-death",
            words="Where no neuron dies, sharpening beats none.",
            rule="beats",
            arm=f"k 3 → 50, {LEAKY}",
            against=f"none, {LEAKY}",
            note="If not, dead neurons are all of the gain.",
        ),
        Claim(
            chapter="c2e",
            key="gain-at-best-without-death",
            words="Where no neuron dies, sharpening beats none at its best.",
            rule="beats",
            arm=f"k 3 → 50, {LEAKY}",
            against=f"{BEST}, {LEAKY}",
            note="Sharpening has the reference rate, none the rate that c2c chose with ReLU.",
        ),
        Claim(
            chapter="c2e",
            key="best-keeps",
            words="At its best learning rate a plain network ends with fewer dead neurons in its "
            "second hidden layer than at the report's.",
            rule="beats",
            arm="none",
            against=BEST,
            metric=DEAD,
        ),
    ),
)
