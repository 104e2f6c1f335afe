"""v2: the kernel sets the magnitude of the weights, training their direction."""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Linear
from spatialnb.priors.schedules import Static
from spatialnb.studies import v01_linear_or_none as v01
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

STUDY = Study(
    id="v02",
    title="Kernel as magnitude, training as direction",
    section="v2 - Spatial as Magnitude Normalizer",
    question=(
        "If the kernel sets the magnitude of the weights and training only their direction, do "
        "two networks become more similar, and what does it cost?"
    ),
    changes=(
        "Changes relative to v1: each row of weights is normalised, then multiplied by the kernel "
        "and by a fixed scale; the linear kernel is 0.1 + 0.9 (1 - d)."
    ),
    arms={
        "none": Run(dataset="mnist", epochs=5, action="normalise"),
        "linear": Run(
            dataset="mnist", epochs=5, action="normalise", schedule=Static(kernel=Linear())
        ),
    },
    borrowed_arms={f"v01/{arm}": run for arm, run in v01.STUDY.arms.items()},
    baseline="none",
    metrics=("accuracy", "similarity"),
    pairs=True,
    datasets=("cifar10-jpeg", "cifar10"),
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="none", metric="accuracy", value=97.43),
        Reported(arm="linear", metric="accuracy", value=97.22),
        Reported(arm="none", metric="similarity", value=0.048),
        Reported(arm="linear", metric="similarity", value=0.038),
    ),
    claims=(
        Claim(
            chapter="v02",
            key="none-more-alike",
            words="Without a kernel, normalised networks are more similar than those of v1.",
            rule="beats",
            arm="none",
            against="v01/none",
            metric="similarity",
            margin=0.01,
            unit="",
            reported=0.030,
        ),
        Claim(
            chapter="v02",
            key="linear-more-alike",
            words="With the linear kernel, normalised networks are more similar than those of v1.",
            rule="beats",
            arm="linear",
            against="v01/linear",
            metric="similarity",
            margin=0.01,
            unit="",
            reported=0.031,
        ),
        Claim(
            chapter="v02",
            key="none-cost",
            words="Without a kernel, normalisation costs a little accuracy.",
            rule="beats",
            arm="v01/none",
            against="none",
            reported=0.26,
        ),
        Claim(
            chapter="v02",
            key="linear-cost",
            words="With the linear kernel, normalisation costs a little accuracy.",
            rule="beats",
            arm="v01/linear",
            against="linear",
            reported=0.34,
        ),
    ),
)
