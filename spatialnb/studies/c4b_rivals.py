"""c4b: more recent methods of sparse training, compared with those of c4."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.studies import c4_sparse_or_small as c4
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

ROUNDS = 3
"""Rounds of iterative magnitude pruning, within the same number of epochs as the other arms."""


def _rivals(zeros: float) -> dict[str, Run]:
    at = f"{100 * zeros:g} %"
    return {
        f"RigL, {at}": c4.STUDY.arms[f"RigL, {at}"],
        f"GraNet, {at}": Run(sparse=Sparse(zeros=zeros, method="granet")),
        f"ST-3, {at}": Run(sparse=Sparse(zeros=zeros, method="st3")),
        f"IMP, {at}": Run(sparse=Sparse(zeros=zeros, method="imp", rounds=ROUNDS)),
    }


FEWER, FEWEST = _rivals(c4.LESS), _rivals(c4.MOST)
RIGL, GRANET, ST3, IMP = FEWEST

LOWER = 0.001
"""A lower learning rate: at 0.003 GraNet collapses."""
AT_LOWER = {
    f"{name}, lr {LOWER:g}": replace(run, learning_rate=LOWER)
    for name, run in {"none": Run(), **FEWEST}.items()
    if name != IMP
}
NONE_LOWER, RIGL_LOWER, GRANET_LOWER, ST3_LOWER = AT_LOWER

LINES: dict[str, list[tuple[float, str, str]]] = {
    "k 3 → 100, nearest": [
        (share, f"c4/{arm}", metric)
        for share, arm, metric in c4.ONE_MORE["k 3 → 100, nearest"]
        if share in (81.4, 94.2)
    ],
    **{
        name.partition(",")[0]: [(81.4, fewer, "accuracy"), (94.2, name, "accuracy")]
        for fewer, name in zip(FEWER, FEWEST, strict=True)
    },
    **{
        f"{name.partition(',')[0]}, lr {LOWER:g}": [(94.2, name, "accuracy")]
        for name in (RIGL_LOWER, GRANET_LOWER, ST3_LOWER)
    },
}
"""Rows of the table: points of percentage of zeros, arm, metric."""

STUDY = Study(
    id="c4b",
    title="Later sparse-training methods",
    section="",
    question="How accurate are the sparse networks that later methods find, at the same number "
    "of weights?",
    changes="Changes relative to c4: GraNet, ST-3 and iterative magnitude pruning, within the same "
    "twelve epochs.",
    arms={"none": Run(), **FEWER, **FEWEST, **AT_LOWER},
    borrowed_arms={"c4/k 3 → 100": c4.STUDY.arms["k 3 → 100"]},
    baseline="none",
    compared_with=dict.fromkeys((RIGL_LOWER, GRANET_LOWER, ST3_LOWER), NONE_LOWER),
    metrics=("accuracy", "train_loss", "zeros"),
    datasets=("cifar10",),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claim that, if it holds, makes the log's sparsity useful.
    claims=(
        Claim(
            chapter="c4b",
            since=2,
            key="sharpening-beats-the-rivals",
            words="Sharpening 3 → 100, cut to its nearest weights, beats GraNet, ST-3 and "
            "iterative magnitude pruning at 94.2 % zeros.",
            rule="beats",
            arm="c4/k 3 → 100",
            metric=c4.TUNED,
            against=(GRANET, ST3, IMP),
            against_metric="accuracy",
            each=True,
            note="If so, distance is a good criterion. Thirteen epochs against twelve.",
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="granet-beats-rigl",
            words="GraNet beats RigL at 94.2 % zeros.",
            rule="beats",
            arm=GRANET,
            against=RIGL,
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="st3-beats-rigl",
            words="ST-3 beats RigL at 94.2 % zeros.",
            rule="beats",
            arm=ST3,
            against=RIGL,
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="pruning-in-rounds-loses",
            words="In the same twelve epochs RigL beats iterative magnitude pruning at 94.2 % "
            "zeros.",
            rule="beats",
            arm=RIGL,
            against=IMP,
            note="Its last round has a third of the epochs.",
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="sparse-as-good-as-dense",
            words="GraNet and ST-3 with 94.2 % zeros do at least as well as the dense network.",
            rule="at_least",
            arm=(GRANET, ST3),
            against="none",
            each=True,
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="fewer-zeros-are-better",
            words="GraNet and ST-3 do at least as well with 81.4 % zeros as with 94.2 %.",
            rule="at_least",
            arm=tuple(name for name in FEWER if name.startswith(("GraNet", "ST-3"))),
            against=(GRANET, ST3),
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="granet-at-a-lower-rate",
            words="With a learning rate of 0.001 in both, GraNet beats RigL at 94.2 % zeros.",
            rule="beats",
            arm=GRANET_LOWER,
            against=RIGL_LOWER,
            note="Written after the runs at 0.003, where GraNet collapses, and two seeds at 0.001.",
        ),
        Claim(
            chapter="c4b",
            since=2,
            key="sparse-as-good-at-a-lower-rate",
            words="With a learning rate of 0.001, GraNet and ST-3 with 94.2 % zeros do at least as "
            "well as the dense network.",
            rule="at_least",
            arm=(GRANET_LOWER, ST3_LOWER),
            against=NONE_LOWER,
            each=True,
            note="Written after the runs at 0.003, and two seeds of GraNet at 0.001.",
        ),
    ),
)
