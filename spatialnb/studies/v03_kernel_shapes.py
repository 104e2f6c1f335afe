"""v3: five kernel shapes with magnitude normalisation."""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential, Gaussian, Inverse, Kernel, Linear, Uniform
from spatialnb.priors.schedules import Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

KERNELS: dict[str, Kernel] = {
    "inverse": Inverse(),
    "none": Uniform(),
    "linear": Linear(),
    "exponential": Exponential(),
    "gaussian": Gaussian(),
}

STUDY = Study(
    id="v03",
    title="Five kernel shapes on MNIST",
    section="v3 - Multiple Kernel Shapes",
    question="Which kernel shape does best on MNIST?",
    changes=(
        "Changes relative to v2: exponential, gaussian and inverse kernels beside the linear one."
    ),
    arms={
        name: Run(dataset="mnist", epochs=5, action="normalise", schedule=Static(kernel=kernel))
        for name, kernel in KERNELS.items()
    },
    baseline="none",
    metrics=("accuracy", "similarity"),
    pairs=True,
    datasets=("cifar10-jpeg", "cifar10"),
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="inverse", metric="accuracy", value=97.66),
        Reported(arm="none", metric="accuracy", value=97.43),
        Reported(arm="linear", metric="accuracy", value=97.22),
        Reported(arm="exponential", metric="accuracy", value=97.20),
        Reported(arm="gaussian", metric="accuracy", value=97.09),
        Reported(arm="inverse", metric="similarity", value=0.041),
        Reported(arm="none", metric="similarity", value=0.048),
        Reported(arm="linear", metric="similarity", value=0.038),
        Reported(arm="exponential", metric="similarity", value=0.020),
        Reported(arm="gaussian", metric="similarity", value=0.018),
    ),
    claims=(
        Claim(
            chapter="v03",
            key="inverse-best",
            words="The inverse kernel, which favours long connections, does best.",
            rule="beats",
            arm="inverse",
            against=("none", "linear", "exponential", "gaussian"),
            each=True,
            reported=0.23,
            note="The reported size is its lead over the runner-up, the baseline.",
            best_of=True,
        ),
        Claim(
            chapter="v03",
            key="sharper-worse-than-none",
            words="The sharper kernels, exponential and gaussian, do worse than the baseline.",
            rule="beats",
            arm="none",
            against=("exponential", "gaussian"),
            each=True,
            reported=0.23,
            note="The reported size is the baseline's lead over exponential, the smaller of the "
            "two.",
        ),
        Claim(
            chapter="v03",
            key="sharper-worse-than-linear",
            words="The sharper kernels, exponential and gaussian, do worse than the linear one.",
            rule="beats",
            arm="linear",
            against=("exponential", "gaussian"),
            each=True,
            reported=0.02,
            note="The reported size is linear's lead over exponential, the smaller of the two.",
        ),
    ),
)
