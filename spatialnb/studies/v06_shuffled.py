"""v6: is it locality, or any fixed pattern of unequal kernel values?"""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.priors.schedules import Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

KERNELS = {
    "none": Uniform(),
    "exponential": Exponential(),
    "shuffled 1000": Shuffled(kernel=Exponential(), seed=1000),
    "shuffled 2000": Shuffled(kernel=Exponential(), seed=2000),
}

STUDY = Study(
    id="v06",
    title="A shuffled kernel",
    section="v6 - Shuffled vs Structured Kernel",
    question=(
        "Does the gain come from locality, or from any fixed pattern of unequal kernel values?"
    ),
    changes=(
        "Changes relative to v5: the exponential kernel's values at randomly permuted positions."
    ),
    arms={name: Run(schedule=Static(kernel=kernel)) for name, kernel in KERNELS.items()},
    baseline="none",
    metrics=("accuracy", "similarity"),
    pairs=True,
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="none", metric="accuracy", value=48.00, sd=0.46),
        Reported(arm="exponential", metric="accuracy", value=50.48, sd=0.35),
        Reported(arm="shuffled 1000", metric="accuracy", value=50.26, sd=0.44),
        Reported(arm="shuffled 2000", metric="accuracy", value=50.04, sd=0.67),
        Reported(arm="none", metric="similarity", value=0.0486),
        Reported(arm="exponential", metric="similarity", value=0.0256),
        Reported(arm="shuffled 1000", metric="similarity", value=0.0237),
        Reported(arm="shuffled 2000", metric="similarity", value=0.0015),
    ),
    claims=(
        Claim(
            chapter="v06",
            key="shuffled-beats-none",
            words="Shuffled kernels beat the baseline.",
            rule="beats",
            arm=("shuffled 1000", "shuffled 2000"),
            against="none",
            each=True,
            reported=2.04,
            note="The reported size is the smaller of the two.",
        ),
        Claim(
            chapter="v06",
            key="shuffled-equals-structured",
            words="A shuffled kernel does as well as the structured one.",
            rule="equals",
            arm="exponential",
            against=("shuffled 1000", "shuffled 2000"),
            reported=0.33,
        ),
        Claim(
            chapter="v06",
            key="shuffles-equal",
            words="The two shuffled kernels do equally well.",
            rule="equals",
            arm="shuffled 1000",
            against="shuffled 2000",
            reported=0.22,
        ),
    ),
)
