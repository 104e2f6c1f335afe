"""c8b: would longer training change the ranking of v5?"""

from __future__ import annotations

from dataclasses import replace

from spatialnb.studies import v05_cifar10 as v5
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

ARMS = {name: replace(run, epochs=60) for name, run in v5.STUDY.arms.items()}
OTHERS = tuple(name for name in ARMS if name != "exponential")

STUDY = Study(
    id="c8b",
    title="The ranking of v5 after sixty epochs",
    section="",
    question='The log asks of v5: "Would longer training change the rankings?"',
    changes="Changes relative to v5: 60 epochs instead of 12, ten seeds.",
    arms=ARMS,
    baseline="none",
    metrics=("accuracy", "accuracy@11", "train_loss", "test_loss"),
    seeds=tuple(range(10)),  # a run takes five times as long as one of v5
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=12, seeds=(0, 1)),
    claims=(
        Claim(
            chapter="c8b",
            since=2,
            key="exponential-still-beats-none",
            words="After 60 epochs the exponential kernel beats the baseline.",
            rule="beats",
            arm="exponential",
            against="none",
        ),
        Claim(
            chapter="c8b",
            since=2,
            key="exponential-still-best",
            words="After 60 epochs the exponential kernel is the best of the seven.",
            rule="beats",
            arm="exponential",
            against=OTHERS,
            each=True,
            best_of=True,
        ),
        Claim(
            chapter="c8b",
            since=2,
            key="sharper-still-better",
            words="After 60 epochs the exponential kernel beats the linear one.",
            rule="beats",
            arm="exponential",
            against="linear",
        ),
        Claim(
            chapter="c8b",
            since=2,
            key="adding-still-helps",
            words="After 60 epochs both kernels that are added over the training beat the "
            "baseline.",
            rule="beats",
            arm=("none → exponential", "none → linear"),
            against="none",
            each=True,
        ),
        Claim(
            chapter="c8b",
            since=2,
            key="removing-still-hurts",
            words="After 60 epochs the baseline beats the exponential kernel that is removed over "
            "the training.",
            rule="beats",
            arm="none",
            against="exponential → none",
        ),
        Claim(
            chapter="c8b",
            since=2,
            key="twelve-epochs-were-enough-for-none",
            words="The baseline gains nothing from the 48 further epochs.",
            rule="equals",
            arm="none",
            against="none",
            against_metric="accuracy@11",
            better="higher",
            note="Epochs are counted from 0, as in the log.",
        ),
    ),
)
