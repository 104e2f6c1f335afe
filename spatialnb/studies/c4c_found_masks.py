"""c4c: are masks found by pruning local in the image, like those of a kernel on the pixel grid?"""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.studies.c4_sparse_or_small import MOST
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

ROUND, ROUNDS = 12, 5
"""Epochs per round of iterative magnitude pruning, and number of rounds."""
PERMUTATION = 1000
"""Seed of the permuted pixels, as in c3."""
POPULAR = "input_distance_share:popular"
"""Mean distance between the inputs of a unit, in percent of the same distance in random masks with
as many inputs for every unit, and as many units for every input."""


def _found(method: str, rounds: int | None = None) -> Run:
    sparse = Sparse(zeros=MOST, method=method, rounds=rounds)
    return Run(sparse=sparse, mask_locality=True, positions="plane", epochs=ROUND * ROUNDS)


PRUNED = _found("imp", ROUNDS)
ARMS = {
    "IMP": PRUNED,
    "IMP, pixels permuted": replace(PRUNED, permuted_pixels=PERMUTATION),
    "GraNet": _found("granet"),
    "RigL": _found("rigl"),
    "random mask": _found("static"),
}
"""All arms have 94.2 % zeros and no prior, so positions do not affect training; they are used only
to measure locality."""

STUDY = Study(
    id="c4c",
    title="The masks that pruning finds",
    section="",
    question="Do the weights that training keeps lie near one another in the image, as a kernel "
    "on the pixel grid would have them?",
    changes="Changes relative to c4b: iterative magnitude pruning has twelve epochs in each of "
    "five rounds, the other methods as many in all; the first layer's mask is measured. Ten seeds.",
    arms=ARMS,
    baseline="random mask",
    metrics=(
        "accuracy",
        "input_distance",
        "input_distance_share:random",
        POPULAR,
        "plane_overlap_best",
        "plane_overlap_best:popular",
    ),
    seeds=tuple(range(10)),  # a run takes five times as long as one of c4b
    datasets=("cifar10",),
    quick=Quick(dataset="quick-colours", epochs=10, seeds=(0, 1)),
    # First the claims that, if they hold, show that there is no locality.
    claims=(
        Claim(
            chapter="c4c",
            since=2,
            key="pruned-masks-are-local",
            words="The inputs that a unit keeps after iterative magnitude pruning lie at least 5 % "
            "nearer to one another than in random masks with the same counts.",
            rule="between",
            arm="IMP",
            metric=POPULAR,
            low=0.0,
            high=95.0,
            unit="%",
            note="If not, pruning finds popular pixels and no neighbourhoods. Found in larger "
            "networks by Pellegrini and Biroli (2021).",
        ),
        Claim(
            chapter="c4c",
            since=2,
            key="permuted-masks-are-not",
            words="With the pixels permuted, the inputs that a unit keeps lie as far apart as in "
            "random masks with the same counts, within 1 %.",
            rule="between",
            arm="IMP, pixels permuted",
            metric=POPULAR,
            low=99.0,
            high=101.0,
            unit="%",
        ),
        Claim(
            chapter="c4c",
            since=2,
            key="far-from-the-planes-mask",
            words="Less than a third of the weights that iterative magnitude pruning keeps are in "
            "the pixel grid's mask, even with each unit at its best position.",
            rule="between",
            arm="IMP",
            metric="plane_overlap_best",
            low=0.0,
            high=33.3,
            unit="%",
            note="If so, the kernel on the pixel grid is not what training would choose.",
        ),
        Claim(
            chapter="c4c",
            since=2,
            key="nearer-than-chance",
            words="The weights that iterative magnitude pruning keeps overlap the pixel grid's "
            "mask more than random masks with the same counts do.",
            rule="beats",
            arm="IMP",
            metric="plane_overlap_best",
            against="IMP",
            against_metric="plane_overlap_best:popular",
            unit="points",
        ),
        Claim(
            chapter="c4c",
            since=2,
            key="other-methods-too",
            words="Masks of GraNet and of RigL are local too: a unit's inputs lie at least 2 % "
            "nearer to one another than in random masks with the same counts.",
            rule="between",
            arm=("GraNet", "RigL"),
            metric=POPULAR,
            each=True,
            low=0.0,
            high=98.0,
            unit="%",
        ),
        Claim(
            chapter="c4c",
            since=2,
            key="pruning-beats-random",
            words="Iterative magnitude pruning beats a random mask in as many epochs.",
            rule="beats",
            arm="IMP",
            against="random mask",
        ),
    ),
)
