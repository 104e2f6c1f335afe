"""c2b: initial scale, learning rate and weight decay from sharpening, in all combinations."""

from itertools import combinations

from spatialnb.config.run import Run
from spatialnb.priors.schedules import Sharpen
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

SHARPENING = Sharpen(k_start=3, k_end=50)
PARTS = {"start": "start", "rate": "update", "shrink": "shrink"}
"""Parts of the folded prior, by their names in arms; ``rate`` scales every step by K."""


def _arms() -> dict[str, Run]:
    chosen = [names for size in (1, 2, 3) for names in combinations(PARTS, size)]
    return {
        " + ".join(names): Run(schedule=SHARPENING, folded=tuple(PARTS[name] for name in names))
        for names in chosen
    }


STUDY = Study(
    id="c2b",
    title="Initial scale, learning rate and weight decay",
    section="",
    question="Which effect of sharpening gives the gain: its initial scale, its learning rate or "
    "its weight decay?",
    changes="Changes relative to c2: the effects of sharpening on training, alone and together.",
    arms={"none": Run(), **_arms(), "k 3 → 50": Run(schedule=SHARPENING)},
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    claims=(
        Claim(
            chapter="c2b",
            key="no-part-is-enough",
            words="Sharpening beats its initial scale, its learning rate and its weight decay, "
            "each alone.",
            rule="beats",
            arm="k 3 → 50",
            against=("start", "rate", "shrink"),
            each=True,
        ),
        Claim(
            chapter="c2b",
            key="no-two-are-enough",
            words="Sharpening beats every pair from its initial scale, learning rate and weight "
            "decay.",
            rule="beats",
            arm="k 3 → 50",
            against=("start + rate", "start + shrink", "rate + shrink"),
            each=True,
        ),
        Claim(
            chapter="c2b",
            key="three-are-enough",
            words="Sharpening's initial scale, learning rate and weight decay together do as "
            "well as sharpening itself.",
            rule="equals",
            arm="start + rate + shrink",
            against="k 3 → 50",
            note="Only the gradient scale is left out: under sharpening, Adam sees gradients "
            "multiplied by the kernel.",
            better="higher",
        ),
        Claim(
            chapter="c2b",
            key="rate-is-the-largest",
            words="Sharpening's learning rate alone gives more than its initial scale or its "
            "weight decay alone.",
            rule="beats",
            arm="rate",
            against=("start", "shrink"),
            each=True,
        ),
        Claim(
            chapter="c2b",
            key="start-helps",
            words="Sharpening's smaller initial scale alone beats the baseline.",
            rule="beats",
            arm="start",
            against="none",
        ),
        Claim(
            chapter="c2b",
            key="shrink-adds-to-rate",
            words="Sharpening's learning rate and weight decay together beat its learning rate "
            "alone.",
            rule="beats",
            arm="rate + shrink",
            against="rate",
        ),
    ),
)
