"""c8c: four of the five reasons that the log gives for its result in v7, each tested by arms."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Run, SecondTask
from spatialnb.priors.kernels import Exponential, Inverse, Kernel, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal, Eased, Schedule
from spatialnb.studies import v07_two_tasks as v7
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

PLAIN, SPATIAL = v7.STUDY.arms["no spatial"], v7.STUDY.arms["spatial decay"]
WIDER, DEEPER = (256, 256, 256), (256, 128, 128, 128, 128)
MOSTLY_SHARED = (64, 512, 512)
"""Narrow adapters and wide shared layers: most weights that CIFAR-10 uses are shared."""


def fading(
    first: Kernel, second: Kernel, ease: str | None = None, hidden: tuple[int, ...] = v7.HIDDEN
) -> Run:
    """One kernel per task, annealed to K = 1: linearly, or with the given easing."""

    def schedule(kernel: Kernel) -> Schedule:
        linear = Anneal(start=kernel, end=Uniform())
        return linear if ease is None else Eased(schedule=linear, ease=ease)

    return Run(
        hidden=hidden, schedule=schedule(first), second=SecondTask(schedule=schedule(second))
    )


KERNELS = (Exponential(), Shuffled(kernel=Exponential(), seed=1000))
"""The kernels of v7, one per task."""
APART = (Exponential(k=15.0), Inverse(floor=0.0))
"""One kernel favours short connections, the other long ones."""

REASONS: dict[str, tuple[str, str]] = {
    "cosine": ("cosine decay", "no spatial"),
    "late": ("late decay", "no spatial"),
    "wider": ("wider, spatial decay", "wider, no spatial"),
    "deeper": ("deeper, spatial decay", "deeper, no spatial"),
    "apart": ("kernels apart", "no spatial"),
    "shared": ("mostly shared, spatial decay", "mostly shared, no spatial"),
}
"""By reason: the arm with kernels, and the arm without kernels with which it is compared."""
WORDS = {
    "cosine": "with kernels that fade as a cosine",
    "late": "with kernels that fade only in the last third",
    "wider": "with fading kernels on wider shared layers",
    "deeper": "with fading kernels on more shared layers",
    "apart": "with kernels that prefer opposite distances",
    "shared": "with fading kernels where most weights are shared",
}

STUDY = Study(
    id="c8c",
    title="Two tasks: v7's reasons",
    section="",
    question="The log gives reasons why kernels did not help two tasks. Does removing one of "
    "them help?",
    changes="Changes relative to v7: the pace at which kernels fade, the shared part's width and "
    "depth, kernels that differ more, and a network of which most is shared.",
    arms={
        "no spatial": PLAIN,
        "spatial decay": SPATIAL,
        "cosine decay": fading(*KERNELS, ease="cosine"),
        "late decay": fading(*KERNELS, ease="late"),
        "wider, no spatial": replace(PLAIN, hidden=WIDER),
        "wider, spatial decay": fading(*KERNELS, hidden=WIDER),
        "deeper, no spatial": replace(PLAIN, hidden=DEEPER),
        "deeper, spatial decay": fading(*KERNELS, hidden=DEEPER),
        "kernels apart": fading(*APART),
        "mostly shared, no spatial": replace(PLAIN, hidden=MOSTLY_SHARED),
        "mostly shared, spatial decay": fading(*KERNELS, hidden=MOSTLY_SHARED),
    },
    baseline="no spatial",
    metrics=("accuracy", "accuracy:second"),
    seeds=tuple(range(10)),
    quick=Quick(dataset="quick-colours", second="quick-text", epochs=2, seeds=(0, 1)),
    claims=tuple(
        Claim(
            chapter="c8c",
            since=2,
            key=f"{reason}-{task}",
            words=f"{name} accuracy is higher {WORDS[reason]} than without kernels.",
            rule="beats",
            arm=arm,
            against=against,
            metric=metric,
            note="If so, this was a reason.",
        )
        for reason, (arm, against) in REASONS.items()
        for task, name, metric in (
            ("cifar10", "CIFAR-10", "accuracy"),
            ("imdb", "IMDB", "accuracy:second"),
        )
    ),
)
