"""v1: does a linear kernel cost accuracy, and does it make two networks similar?"""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Linear
from spatialnb.priors.schedules import Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

MNIST = Run(dataset="mnist", epochs=5)

STUDY = Study(
    id="v01",
    title="A linear kernel on MNIST",
    section="v1 - Linear vs None Kernel",
    question=(
        "Does scaling every weight by a linear function of the distance that it spans cost "
        "accuracy on MNIST? And does it make two networks trained from different seeds more "
        "similar?"
    ),
    changes=("The first experiment. Its linear kernel is 1 - d; later ones use 0.1 + 0.9 (1 - d)."),
    arms={
        "none": MNIST,
        "linear": Run(dataset="mnist", epochs=5, schedule=Static(kernel=Linear(floor=0.0))),
    },
    baseline="none",
    metrics=(
        "accuracy",
        "similarity",
        "similarity_effective",
        "similarity_initial",
        "similarity_permuted",
        "similarity_centred",
    ),
    pairs=True,
    datasets=("cifar10-jpeg", "cifar10"),
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="none", metric="accuracy", value=97.69),
        Reported(arm="linear", metric="accuracy", value=97.56),
        Reported(arm="none", metric="similarity", value=0.018),
        Reported(arm="linear", metric="similarity", value=0.007),
    ),
    claims=(
        Claim(
            chapter="v01",
            key="no-cost",
            words="The linear kernel costs no accuracy.",
            rule="equals",
            arm="linear",
            against="none",
            reported=-0.13,
            better="higher",
        ),
        Claim(
            chapter="v01",
            key="none-unlike",
            words="Without a kernel, two networks have dissimilar weights.",
            rule="equals",
            arm="none",
            metric="similarity",
            margin=0.03,
            unit="",
            reported=0.018,
            note="The margin is midway between what the log calls near zero and increased.",
        ),
        Claim(
            chapter="v01",
            key="linear-unlike",
            words="With the linear kernel, two networks have dissimilar weights.",
            rule="equals",
            arm="linear",
            metric="similarity",
            margin=0.03,
            unit="",
            reported=0.007,
            note="The margin is midway between what the log calls near zero and increased.",
        ),
        Claim(
            chapter="v01",
            key="no-gain-of-similarity",
            words="The linear kernel does not make two networks more similar.",
            rule="at_least",
            arm="none",
            against="linear",
            metric="similarity",
            margin=0.01,
            unit="",
            reported=0.011,
        ),
    ),
)
