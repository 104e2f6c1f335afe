"""c2d: every arm at the learning rate that was chosen for it in c2c."""

import dataclasses

from spatialnb.config.run import Run
from spatialnb.studies.c2c_learning_rates import PRIORS
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, tuple[float, str | None]] = {
    "none": (0.004, "linear"),
    "exponential": (0.0005, "linear"),
    "k 3 → 50": (0.004, None),
    "shuffled": (0.008, "linear"),
    "one number": (0.008, "linear"),
}
"""Learning rate and decay of every arm: those with the best validation accuracy in c2c."""
REFERENCE = {"none at 0.003": PRIORS["none"], "k 3 → 50 at 0.003": PRIORS["k 3 → 50"]}
"""Two arms at the learning rate of the reference protocol, as in v11."""


def at_its_best(run: Run, chosen: tuple[float, str | None]) -> Run:
    """The run with this learning rate and decay (None: constant)."""
    rate, decay = chosen
    return dataclasses.replace(run, learning_rate=rate, learning_rate_decay=decay)


STUDY = Study(
    id="c2d",
    title="Each arm at its best learning rate",
    section="",
    question="How much of the gain is left when every arm has its own best learning rate?",
    changes="Changes relative to c2: the learning rate, and whether it decays, as chosen in c2c.",
    arms={**{name: at_its_best(run, CHOSEN[name]) for name, run in PRIORS.items()}, **REFERENCE},
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make a spatial prior more than an optimiser setting.
    claims=(
        Claim(
            chapter="c2d",
            key="sharpening-beats-none",
            words="Sharpening beats the baseline, each at its best learning rate.",
            rule="beats",
            arm="k 3 → 50",
            against="none",
            note="If not, the whole gain came from a learning rate that did not suit the baseline.",
        ),
        Claim(
            chapter="c2d",
            key="inequality-matters",
            words="Sharpening beats a per-layer scalar, each at its best learning rate.",
            rule="beats",
            arm="k 3 → 50",
            against="one number",
            note="If not, no structure is needed.",
        ),
        Claim(
            chapter="c2d",
            key="places-matter",
            words="Sharpening beats sharpening with a shuffled kernel, each at its best learning "
            "rate.",
            rule="beats",
            arm="k 3 → 50",
            against="shuffled",
        ),
        Claim(
            chapter="c2d",
            key="exponential-beats-none",
            words="The static exponential kernel beats the baseline, each at its best learning "
            "rate.",
            rule="beats",
            arm="exponential",
            against="none",
        ),
        Claim(
            chapter="c2d",
            key="one-number-beats-none",
            words="A per-layer scalar beats the baseline, each at its best learning rate.",
            rule="beats",
            arm="one number",
            against="none",
        ),
        Claim(
            chapter="c2d",
            key="rate-gives-most",
            words="A tuned learning rate gives the baseline more than half of what sharpening "
            "gains at 0.003.",
            rule="beats",
            arm="none",
            against=("none at 0.003", "k 3 → 50 at 0.003"),
            note="It is compared with the mean of the baseline and sharpening, both at 0.003.",
        ),
        Claim(
            chapter="c2d",
            key="none-reaches-sharpening",
            words="The baseline at its best learning rate does at least as well as sharpening at "
            "0.003.",
            rule="at_least",
            arm="none",
            against="k 3 → 50 at 0.003",
        ),
    ),
)
