"""v7: can kernels help one network to learn two tasks?"""

from spatialnb.config.run import Run, SecondTask
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Reported, Study

HIDDEN = (256, 128, 128)
OWN = Anneal(start=Exponential(), end=Uniform())
OTHER = Anneal(start=Shuffled(kernel=Exponential(), seed=1000), end=Uniform())

WITH_KERNELS = "the shared network with kernels"
SEPARATE = Run(hidden=HIDDEN, second=SecondTask(shared=False))

STUDY = Study(
    id="v07",
    title="Two tasks, shared weights",
    section="v7 - Multi-Task Weight Sharing with Spatial Scaffolding",
    question=(
        "Do kernels that differ by task, and are phased out during training, help one set of "
        "weights to learn two very different tasks?"
    ),
    changes=(
        "Changes relative to v6: CIFAR-10 and IMDB at once; an adapter and a head for each task, "
        "shared hidden layers; kernels on those layers alone, annealed to none; ten seeds."
    ),
    arms={
        "separate": SEPARATE,
        "no spatial": Run(hidden=HIDDEN, second=SecondTask()),
        "spatial decay": Run(hidden=HIDDEN, schedule=OWN, second=SecondTask(schedule=OTHER)),
    },
    baseline="no spatial",
    metrics=("accuracy", "accuracy:second"),
    seeds=tuple(range(10)),
    quick=Quick(dataset="quick-colours", second="quick-text", epochs=2, seeds=(0, 1)),
    reported=(
        Reported(arm="separate", metric="accuracy", value=46.92),
        Reported(arm="no spatial", metric="accuracy", value=45.94),
        Reported(arm="spatial decay", metric="accuracy", value=45.25),
        Reported(arm="separate", metric="accuracy:second", value=83.29),
        Reported(arm="no spatial", metric="accuracy:second", value=82.40),
        Reported(arm="spatial decay", metric="accuracy:second", value=82.61),
    ),
    claims=(
        *(
            Claim(
                chapter="v07",
                key=f"{key}-share-{task.lower().replace('-', '')}",
                words=f"On {task}, {words} reaches 95 to 99 % of the separate network's accuracy.",
                rule="between",
                arm=arm,
                against="separate",
                metric=metric,
                as_share=True,
                low=95.0,
                high=99.0,
                unit="%",
                reported=reported,
                better="higher",
            )
            for key, arm, words, task, metric, reported in (
                ("plain", "no spatial", "the shared network", "CIFAR-10", "accuracy", 97.9),
                ("plain", "no spatial", "the shared network", "IMDB", "accuracy:second", 98.9),
                ("spatial", "spatial decay", WITH_KERNELS, "CIFAR-10", "accuracy", 96.4),
                ("spatial", "spatial decay", WITH_KERNELS, "IMDB", "accuracy:second", 99.2),
            )
        ),
        Claim(
            chapter="v07",
            key="no-gain-cifar10",
            words="On CIFAR-10, kernels that are phased out do about as well as no kernels.",
            rule="equals",
            arm="spatial decay",
            against="no spatial",
            reported=-0.69,
            better="higher",
        ),
        Claim(
            chapter="v07",
            key="no-gain-imdb",
            words="On IMDB, kernels that are phased out do about as well as no kernels.",
            rule="equals",
            arm="spatial decay",
            against="no spatial",
            metric="accuracy:second",
            reported=0.21,
            better="higher",
        ),
    ),
)
