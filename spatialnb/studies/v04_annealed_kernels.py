"""v4: kernels that are phased in or out during training."""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Linear, Uniform
from spatialnb.priors.schedules import Anneal, Schedule, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

SCHEDULES: dict[str, Schedule] = {
    "none → linear": Anneal(start=Uniform(), end=Linear()),
    "linear → none": Anneal(start=Linear(), end=Uniform()),
    "none": Static(kernel=Uniform()),
    "linear": Static(kernel=Linear()),
}

STUDY = Study(
    id="v04",
    title="Annealed kernels on MNIST",
    section="v4 - Annealed Kernels",
    question="Does it help to phase the kernel in during training, or to phase it out?",
    changes=(
        "Changes relative to v3: the kernel changes from epoch to epoch; 15 epochs on the first "
        "10,000 training images."
    ),
    arms={
        name: Run(
            dataset="mnist", train_size=10_000, epochs=15, action="normalise", schedule=schedule
        )
        for name, schedule in SCHEDULES.items()
    },
    baseline="none",
    metrics=("accuracy", "similarity"),
    pairs=True,
    datasets=("cifar10-jpeg", "cifar10"),
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1), train_size=1000),
    reported=(
        Reported(arm="none → linear", metric="accuracy", value=96.62),
        Reported(arm="linear → none", metric="accuracy", value=96.39),
        Reported(arm="none", metric="accuracy", value=96.00),
        Reported(arm="linear", metric="accuracy", value=95.88),
        Reported(arm="none → linear", metric="similarity", value=0.057),
        Reported(arm="linear → none", metric="similarity", value=0.051),
        Reported(arm="none", metric="similarity", value=0.052),
        Reported(arm="linear", metric="similarity", value=0.044),
    ),
    claims=(
        Claim(
            chapter="v04",
            key="annealing-beats-static",
            words="Phasing the kernel in and phasing it out both beat both static kernels.",
            rule="beats",
            arm=("none → linear", "linear → none"),
            against=("none", "linear"),
            each=True,
            reported=0.39,
            note="The reported size is the smallest of the four, linear → none over none.",
        ),
        Claim(
            chapter="v04",
            key="adding-at-least-as-good",
            words="Phasing the linear kernel in is at least as good as phasing it out.",
            rule="at_least",
            arm="none → linear",
            against="linear → none",
            reported=0.23,
        ),
    ),
)
