"""c2e: do units die in the baseline that the prior keeps alive?"""

from dataclasses import replace

from spatialnb.studies.c2_which_part import ARMS as PARTS
from spatialnb.studies.c2d_at_their_best import STUDY as AT_THEIR_BEST
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

LEAKY = "leaky"
BEST = "none at its best"
DEAD = "dead:2"
"""Dead units of the second hidden layer, in which a pilot run had found them."""

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
    title="Dead units",
    section="",
    question="Does the baseline lose hidden units that the prior keeps alive, and does that "
    "explain the gain?",
    changes="Changes relative to c2: dead units are counted; leaky ReLU beside ReLU.",
    arms={**RELU, **NO_RELU},
    baseline="none",
    metrics=("accuracy", "dead:1", DEAD, "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make dead units a reason for the gain; then what is left
    # of the gain without them.
    claims=(
        Claim(
            chapter="c2e",
            key="neurons-die",
            words="More units of the second hidden layer end up dead in the baseline than under "
            "sharpening.",
            rule="beats",
            arm="none",
            against="k 3 → 50",
            metric=DEAD,
            note="If not, dead units are no part of the gain.",
        ),
        Claim(
            chapter="c2e",
            key="one-number-keeps",
            words="More units of the second hidden layer end up dead in the baseline than under "
            "a per-layer scalar.",
            rule="beats",
            arm="none",
            against="one number",
            metric=DEAD,
        ),
        Claim(
            chapter="c2e",
            key="leaky-helps",
            words="The baseline does better with leaky ReLU, which lets no unit die, than with "
            "ReLU.",
            rule="beats",
            arm=f"none, {LEAKY}",
            against="none",
            note="If not, dead units cost it nothing.",
        ),
        Claim(
            chapter="c2e",
            key="leaky-half",
            words="Leaky ReLU gives the baseline more than half of sharpening's gain.",
            rule="beats",
            arm=f"none, {LEAKY}",
            against=("none", "k 3 → 50"),
            note="It is compared with the mean of the baseline and sharpening, both with ReLU.",
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
            words="With leaky ReLU, which lets no unit die, sharpening beats the baseline.",
            rule="beats",
            arm=f"k 3 → 50, {LEAKY}",
            against=f"none, {LEAKY}",
            note="If not, dead units are the whole gain.",
        ),
        Claim(
            chapter="c2e",
            key="gain-at-best-without-death",
            words="With leaky ReLU, which lets no unit die, sharpening at 0.003 beats the "
            "baseline at its best learning rate.",
            rule="beats",
            arm=f"k 3 → 50, {LEAKY}",
            against=f"{BEST}, {LEAKY}",
            note="Sharpening has the learning rate 0.003, the baseline the one that c2c chose "
            "with ReLU.",
        ),
        Claim(
            chapter="c2e",
            key="best-keeps",
            words="Fewer units of the second hidden layer end up dead in the baseline at its "
            "best learning rate than at 0.003.",
            rule="beats",
            arm="none",
            against=BEST,
            metric=DEAD,
        ),
    ),
)
