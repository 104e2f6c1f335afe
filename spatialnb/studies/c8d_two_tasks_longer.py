"""c8d: the first reason that the log gives for its result in v7, "12 epochs isn't enough"."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.studies import v07_two_tasks as v7
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

STUDY = Study(
    id="c8d",
    title="Two tasks for forty epochs",
    section="",
    question="Do fading kernels help two tasks when training lasts forty epochs?",
    changes="Changes relative to v7: 40 epochs instead of 12.",
    arms={
        name: replace(v7.STUDY.arms[name], epochs=40) for name in ("no spatial", "spatial decay")
    },
    baseline="no spatial",
    metrics=("accuracy", "accuracy:second"),
    seeds=tuple(range(10)),
    quick=Quick(dataset="quick-colours", second="quick-text", epochs=3, seeds=(0, 1)),
    claims=tuple(
        Claim(
            chapter="c8d",
            since=2,
            key=f"longer-{task}",
            words=f"After 40 epochs, {name} accuracy is higher with fading kernels than without "
            "kernels.",
            rule="beats",
            arm="spatial decay",
            against="no spatial",
            metric=metric,
            note="If so, twelve epochs were too few.",
        )
        for task, name, metric in (
            ("cifar10", "CIFAR-10", "accuracy"),
            ("imdb", "IMDB", "accuracy:second"),
        )
    ),
)
