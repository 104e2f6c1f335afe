"""v11: how sharp can the kernel end?"""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential, Uniform
from spatialnb.priors.schedules import Schedule, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

SCHEDULES: dict[str, Schedule] = {
    "none": Static(kernel=Uniform()),
    "exponential": Static(kernel=Exponential()),
    **{f"k 3 → {end}": Sharpen(k_start=3, k_end=end) for end in (15, 30, 50, 75, 100)},
}

BY_EPOCH = {
    "none": (40.1, 43.4, 46.2, 46.3, 48.0),
    "exponential": (41.7, 45.6, 47.9, 48.8, 50.5),
    "k 3 → 50": (41.4, 45.8, 48.7, 50.4, 53.0),
}

STUDY = Study(
    id="v11",
    title="High sparsity",
    section="v11 - High Sparsity Progressive Sharpening",
    question="How far can the kernel be sharpened before accuracy suffers?",
    changes=("Changes relative to v10: final rates k up to 100; accuracy by epoch against none."),
    arms={name: Run(schedule=schedule) for name, schedule in SCHEDULES.items()},
    baseline="none",
    metrics=("accuracy", "sparsity", "epochs_to@45"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    reported=(
        Reported(arm="k 3 → 15", metric="accuracy", value=52.59, sd=0.34),
        Reported(arm="k 3 → 30", metric="accuracy", value=52.91, sd=0.35),
        Reported(arm="k 3 → 50", metric="accuracy", value=53.03, sd=0.16),
        Reported(arm="k 3 → 75", metric="accuracy", value=52.51, sd=0.31),
        Reported(arm="k 3 → 100", metric="accuracy", value=52.57, sd=0.28),
        Reported(arm="k 3 → 15", metric="sparsity", value=64.7),
        Reported(arm="k 3 → 30", metric="sparsity", value=81.4),
        Reported(arm="k 3 → 50", metric="sparsity", value=88.6),
        Reported(arm="k 3 → 75", metric="sparsity", value=92.3),
        Reported(arm="k 3 → 100", metric="sparsity", value=94.2),
        *(
            Reported(arm=arm, metric=f"accuracy@{epoch}", value=value)
            for arm, values in BY_EPOCH.items()
            for epoch, value in zip((0, 2, 4, 6, 11), values, strict=True)
        ),
    ),
    claims=(
        Claim(
            chapter="v11",
            key="flat",
            words="From 64.7 % to 94.2 % of strengths under 0.1, accuracy stays the same.",
            rule="equals",
            arm="k 3 → 100",
            against="k 3 → 15",
            reported=-0.02,
        ),
        Claim(
            chapter="v11",
            key="3-to-50-best",
            words="3 → 50 is the best of the schedules.",
            rule="beats",
            arm="k 3 → 50",
            against=("k 3 → 15", "k 3 → 30", "k 3 → 75", "k 3 → 100"),
            each=True,
            reported=0.12,
            note="The reported size is its lead over the second, 3 → 30.",
        ),
        Claim(
            chapter="v11",
            key="sparsity-100",
            words="Ending at k = 100 leaves 94.2 % of the strengths under 0.1.",
            rule="between",
            arm="k 3 → 100",
            metric="sparsity",
            low=94.15,
            high=94.25,
            unit="%",
            reported=94.2,
        ),
        Claim(
            chapter="v11",
            key="exponential-faster",
            words="With the exponential kernel, 45 % is reached one to two epochs earlier.",
            rule="between",
            arm="none",
            against="exponential",
            metric="epochs_to@45",
            low=1.0,
            high=2.0,
            unit="epochs",
            note="Epochs until test accuracy first reaches 45 %, counted whole.",
        ),
        Claim(
            chapter="v11",
            key="sharpening-faster",
            words="With sharpening 3 → 50, 45 % is reached one to two epochs earlier.",
            rule="between",
            arm="none",
            against="k 3 → 50",
            metric="epochs_to@45",
            low=1.0,
            high=2.0,
            unit="epochs",
            note="Epochs until test accuracy first reaches 45 %, counted whole.",
        ),
        Claim(
            chapter="v11",
            key="early-gap",
            words="After epoch 2, sharpening 3 → 50 leads none by about 2 points.",
            rule="beats",
            arm="k 3 → 50",
            against="none",
            metric="accuracy@2",
            reported=2.4,
        ),
        Claim(
            chapter="v11",
            key="gap-widens",
            words="The lead widens from epoch 2 to the end.",
            rule="beats",
            arm="k 3 → 50",
            against="none",
            metric="gain@2",
            reported=2.6,
        ),
        Claim(
            chapter="v11",
            key="five-points",
            words="At the end, sharpening 3 → 50 leads none by 5 points: 48 % become 53 %.",
            rule="beats",
            arm="k 3 → 50",
            against="none",
            reported=5.0,
        ),
    ),
)
