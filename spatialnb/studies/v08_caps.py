"""v8: the kernel as a cap on weights instead of a factor."""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.priors.schedules import Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

KERNELS = {
    "none": Uniform(),
    "exponential": Exponential(),
    "shuffled": Shuffled(kernel=Exponential(), seed=1000),
}

STUDY = Study(
    id="v08",
    title="Kernel values as caps",
    section="v8 - Capped vs Multiplicative Spatial Kernels",
    question="Does the kernel help as much if it only limits the size of weights?",
    changes=(
        "Changes relative to v6: weights are clamped to ± the kernel instead of multiplied by it."
    ),
    arms={
        f"{action} {name}": Run(action=action, schedule=Static(kernel=kernel))
        for action in ("multiply", "cap")
        for name, kernel in KERNELS.items()
    },
    baseline="multiply none",
    datasets=("cifar10", "mnist"),
    metrics=("accuracy", "cap_share"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="multiply none", metric="accuracy", value=48.00, sd=0.46),
        Reported(arm="multiply exponential", metric="accuracy", value=50.48, sd=0.35),
        Reported(arm="multiply shuffled", metric="accuracy", value=50.26, sd=0.44),
        Reported(arm="cap none", metric="accuracy", value=48.00, sd=0.46),
        Reported(arm="cap exponential", metric="accuracy", value=47.89, sd=0.72),
        Reported(arm="cap shuffled", metric="accuracy", value=47.96, sd=0.66),
    ),
    claims=(
        Claim(
            chapter="v08",
            key="cap-of-ones-is-none",
            words="With a kernel of ones, capping does the same as multiplying.",
            rule="equals",
            arm="cap none",
            against="multiply none",
            reported=0.0,
        ),
        Claim(
            chapter="v08",
            key="cap-equals-none",
            words="Capping by the exponential kernel does no better or worse than the baseline.",
            rule="equals",
            arm="cap exponential",
            against="multiply none",
            reported=-0.11,
        ),
        Claim(
            chapter="v08",
            key="shuffled-cap-equals-none",
            words="Capping by the shuffled kernel does no better or worse than the baseline.",
            rule="equals",
            arm="cap shuffled",
            against="multiply none",
            reported=-0.04,
        ),
        Claim(
            chapter="v08",
            key="multiply-beats-cap",
            words="Multiplying by the exponential kernel beats capping by it.",
            rule="beats",
            arm="multiply exponential",
            against="cap exponential",
            reported=2.59,
        ),
        Claim(
            chapter="v08",
            key="shuffled-multiply-beats-cap",
            words="Multiplying by the shuffled kernel beats capping by it.",
            rule="beats",
            arm="multiply shuffled",
            against="cap shuffled",
            reported=2.30,
        ),
    ),
)
