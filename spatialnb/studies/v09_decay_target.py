"""v9: weights that decay toward the kernel instead of toward zero."""

from spatialnb.config.run import Decay, Run
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

TARGETS = {
    "to zero": Uniform(value=0.0),
    "to exponential": Exponential(),
    "to shuffled": Shuffled(kernel=Exponential(), seed=1000),
}

STUDY = Study(
    id="v09",
    title="Kernel values as decay targets",
    section="v9 - Spatial Kernel as Decay Target",
    question="What happens if weights decay toward the kernel instead of toward zero?",
    changes=(
        "Changes relative to v6: a network without a kernel, with the penalty "
        "0.0001 · Σ (W - target)² and the kernel as its target."
    ),
    arms={name: Run(decay=Decay(target=target, weight=1e-4)) for name, target in TARGETS.items()},
    labels={name: f"decay {name}" for name in TARGETS},
    baseline="to zero",
    datasets=("cifar10", "mnist"),
    metrics=("accuracy", "target_distance"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="to zero", metric="accuracy", value=47.68, sd=0.29),
        Reported(arm="to exponential", metric="accuracy", value=26.61, sd=0.61),
        Reported(arm="to shuffled", metric="accuracy", value=27.18, sd=0.95),
    ),
    claims=(
        Claim(
            chapter="v09",
            key="kernel-target-fails",
            words="Decay toward the exponential kernel costs about 21 points.",
            rule="beats",
            arm="to zero",
            against="to exponential",
            reported=21.07,
        ),
        Claim(
            chapter="v09",
            key="shuffled-target-fails",
            words="Decay toward the shuffled kernel costs about 20.5 points.",
            rule="beats",
            arm="to zero",
            against="to shuffled",
            reported=20.50,
        ),
        Claim(
            chapter="v09",
            key="fail-alike",
            words="The structured and the shuffled target fail equally badly.",
            rule="equals",
            arm="to exponential",
            against="to shuffled",
            reported=-0.57,
        ),
    ),
)
