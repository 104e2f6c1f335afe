"""v10: a kernel that starts broad and sharpens."""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Schedule, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

SCHEDULES: dict[str, Schedule] = {
    "k = 3": Static(kernel=Exponential(k=3)),
    "k 3 → 15": Sharpen(k_start=3, k_end=15),
    "k 3 → 10": Sharpen(k_start=3, k_end=10),
    "k 1 → 15": Sharpen(k_start=1, k_end=15),
    "k = 15": Static(kernel=Exponential(k=15)),
}

STUDY = Study(
    id="v10",
    title="Sharpening the kernel",
    section="v10 - Progressive Sharpening",
    question="Does it help to start with a broad kernel and to sharpen it during training?",
    changes=("Changes relative to v5: the k of the exponential kernel grows from epoch to epoch."),
    arms={name: Run(schedule=schedule) for name, schedule in SCHEDULES.items()},
    baseline="k = 3",
    metrics=("accuracy", "sparsity"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="k = 3", metric="accuracy", value=50.34, sd=0.28),
        Reported(arm="k 3 → 15", metric="accuracy", value=52.59, sd=0.34),
        Reported(arm="k 3 → 10", metric="accuracy", value=51.66, sd=0.41),
        Reported(arm="k 1 → 15", metric="accuracy", value=51.89, sd=0.52),
        Reported(arm="k = 15", metric="accuracy", value=49.21, sd=0.39),
        Reported(arm="k = 3", metric="sparsity", value=0.0),
        Reported(arm="k 3 → 15", metric="sparsity", value=64.7),
        Reported(arm="k 3 → 10", metric="sparsity", value=48.0),
        Reported(arm="k 1 → 15", metric="sparsity", value=64.7),
        Reported(arm="k = 15", metric="sparsity", value=64.7),
    ),
    claims=(
        Claim(
            chapter="v10",
            key="sharpening-beats-static",
            words="Every sharpening schedule beats both static kernels.",
            rule="beats",
            arm=("k 3 → 15", "k 3 → 10", "k 1 → 15"),
            against=("k = 3", "k = 15"),
            each=True,
            reported=1.32,
            note="The reported size is the smallest of the six, 3 → 10 over k = 3.",
        ),
        Claim(
            chapter="v10",
            key="best-beats-k3",
            words="The best schedule, 3 → 15, beats the static kernel with k = 3.",
            rule="beats",
            arm="k 3 → 15",
            against="k = 3",
            reported=2.25,
        ),
        Claim(
            chapter="v10",
            key="3-to-15-best",
            words="Sharpening 3 → 15 is the best schedule.",
            rule="beats",
            arm="k 3 → 15",
            against=("k 3 → 10", "k 1 → 15"),
            each=True,
            reported=0.70,
            note="The reported size is its lead over the runner-up, 1 → 15.",
            best_of=True,
        ),
        Claim(
            chapter="v10",
            key="starting-sharp-hurts",
            words="Starting sharp hurts: a static kernel does worse with k = 15 than with k = 3.",
            rule="beats",
            arm="k = 3",
            against="k = 15",
            reported=1.13,
        ),
        Claim(
            chapter="v10",
            key="sparsity-15",
            words="Ending at k = 15 leaves 64.7 % of the kernel values below 0.1.",
            rule="between",
            arm="k 3 → 15",
            metric="sparsity",
            low=64.65,
            high=64.75,
            unit="%",
            reported=64.7,
        ),
        Claim(
            chapter="v10",
            key="sparsity-10",
            words="Ending at k = 10 leaves 48.0 % of the kernel values below 0.1.",
            rule="between",
            arm="k 3 → 10",
            metric="sparsity",
            low=47.95,
            high=48.05,
            unit="%",
            reported=48.0,
        ),
    ),
)
