"""c4: are networks with a sharp kernel sparse, or are their weights only small?"""

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Schedule, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

LEVELS = (0.647, 0.814, 0.886, 0.942, 0.98)
"""Fractions of zeros: the log's v11 at k = 15, 30, 50 and 100, and a larger one."""
LESS, MOST = 0.814, 0.942
"""Fractions of zeros at which sparse and narrower networks are trained from initialisation."""
NARROWER_WIDTHS = {LESS: (47, 138), MOST: (14, 185)}
"""Hidden widths of dense networks with as many weights, from
:func:`spatialnb.training.sparse_optimizers.narrowed`."""

TO_50 = Sharpen(k_start=3, k_end=50)
TO_100 = Sharpen(k_start=3, k_end=100)
WITHOUT_FLOOR = Sharpen(k_start=3, k_end=100, kernel=Exponential(floor=0.0))
ONE_NUMBER = Sharpen(k_start=3, k_end=100, kernel=Averaged(kernel=Exponential()))


def _pruned(schedule: Schedule, *by: str) -> Run:
    return Run(schedule=schedule, prune=Prune(by=by, zeros=LEVELS))


def _from_the_start(zeros: float) -> dict[str, Run]:
    at = f"{100 * zeros:g} %"
    return {
        f"random mask, {at}": Run(sparse=Sparse(zeros=zeros)),
        f"SET, {at}": Run(sparse=Sparse(zeros=zeros, method="set")),
        f"RigL, {at}": Run(sparse=Sparse(zeros=zeros, method="rigl")),
        f"narrower, {at}": Run(hidden=NARROWER_WIDTHS[zeros]),
    }


FEWER, FEWEST = _from_the_start(LESS), _from_the_start(MOST)
RANDOM, SET, RIGL, NARROWER = FEWEST

ARMS = {
    "none": _pruned(Static(), "magnitude", "random"),
    "k 3 → 50": _pruned(TO_50, "kernel", "magnitude"),
    "k 3 → 100": _pruned(TO_100, "kernel", "magnitude"),
    "floor 0": _pruned(WITHOUT_FLOOR, "kernel"),
    "one number": _pruned(ONE_NUMBER, "magnitude"),
    **FEWER,
    **FEWEST,
    "band mask": Run(sparse=Sparse(zeros=MOST, places="band")),
    "RigL, one number": replace(FEWEST[RIGL], schedule=ONE_NUMBER),
    "narrower, one number": replace(FEWEST[NARROWER], schedule=ONE_NUMBER),
}

ZEROED, TUNED = "pruned:kernel@94.2", "tuned:kernel@94.2"
"""Accuracy with the log's 94.2 % of small kernel values set to zero, and after one more epoch."""


def _cut(name: str, arm: str, by: str) -> list[tuple[float, str, str]]:
    """Points of a pruned network: percentage of zeros, arm, metric."""
    whole = "accuracy" if name == "pruned" else "tuned"
    levels = [round(100 * level, 1) for level in LEVELS]
    return [(0.0, arm, whole), *((level, arm, f"{name}:{by}@{level:g}") for level in levels)]


def _cuts(name: str) -> dict[str, list[tuple[float, str, str]]]:
    return {
        "baseline, largest": _cut(name, "none", "magnitude"),
        "baseline, random": _cut(name, "none", "random"),
        "scalar, largest": _cut(name, "one number", "magnitude"),
        "k 3 → 100, nearest": _cut(name, "k 3 → 100", "kernel"),
        "k 3 → 100, largest": _cut(name, "k 3 → 100", "magnitude"),
        "k 3 → 50, nearest": _cut(name, "k 3 → 50", "kernel"),
        "no floor, nearest": _cut(name, "floor 0", "kernel"),
    }


RIGHT_AFTER, ONE_MORE = _cuts("pruned"), _cuts("tuned")
"""Lines of the two figures: right after pruning, and after one more epoch."""

FROM_THE_START = {
    "k 3 → 100, nearest": ONE_MORE["k 3 → 100, nearest"],
    **{
        fewer.partition(",")[0]: [(81.4, fewer, "accuracy"), (94.2, fewest, "accuracy")]
        for fewer, fewest in zip(FEWER, FEWEST, strict=True)
    },
    "band mask": [(94.2, "band mask", "accuracy")],
    "RigL, scalar": [(94.2, "RigL, one number", "accuracy")],
    "narrower, scalar": [(94.2, "narrower, one number", "accuracy")],
}
"""One of these lines, with networks that are sparse or narrower from initialisation."""

STUDY = Study(
    id="c4",
    title="Sparse, or only small?",
    section="",
    question=(
        "Can the weights with small kernel values be removed, and are the others a good network?"
    ),
    changes=(
        "Changes relative to v11: weights are set to zero; other sparse networks for comparison."
    ),
    arms=ARMS,
    baseline="none",
    metrics=(
        "accuracy",
        "tuned",
        ZEROED,
        TUNED,
        "pruned:kernel@88.6",
        "tuned:kernel@88.6",
        "pruned:magnitude@94.2",
        "tuned:magnitude@94.2",
        "pruned:random@94.2",
        "tuned:random@94.2",
        "zeros:kernel@94.2",
        "zeros",
    ),
    datasets=("cifar10",),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make the sparsity real; then those that make it useful.
    claims=(
        Claim(
            chapter="c4",
            key="small-weights-idle",
            words="With the 94.2 % of weights whose kernel value is below 0.1 set to zero, "
            "sharpening 3 → 100 loses less than half a point.",
            rule="at_least",
            arm="k 3 → 100",
            metric=ZEROED,
            against="k 3 → 100",
            against_metric="accuracy",
            note="If not, these weights matter, and the network is not sparse.",
        ),
        Claim(
            chapter="c4",
            key="small-weights-idle-at-50",
            words="With the 88.6 % of weights whose kernel value is below 0.1 set to zero, "
            "sharpening 3 → 50 loses less than half a point.",
            rule="at_least",
            arm="k 3 → 50",
            metric="pruned:kernel@88.6",
            against="k 3 → 50",
            against_metric="accuracy",
        ),
        Claim(
            chapter="c4",
            key="one-epoch-restores",
            words="After one more epoch with 94.2 % zeros, sharpening 3 → 100 is less than half a "
            "point below itself after one more epoch without zeros.",
            rule="at_least",
            arm="k 3 → 100",
            metric=TUNED,
            against="k 3 → 100",
            against_metric="tuned",
            note="If not, these weights are needed.",
        ),
        Claim(
            chapter="c4",
            key="floor-not-needed",
            words="With floor 0, so that distant weights vanish during training, sharpening 3 → "
            "100 loses less than half a point.",
            rule="at_least",
            arm="floor 0",
            against="k 3 → 100",
        ),
        Claim(
            chapter="c4",
            key="floor-zero-idle",
            words="With floor 0, setting 94.2 % of the weights to zero costs less than half a "
            "point.",
            rule="at_least",
            arm="floor 0",
            metric=ZEROED,
            against="floor 0",
            against_metric="accuracy",
        ),
        Claim(
            chapter="c4",
            key="distance-beats-magnitude",
            words="In the same sharpened network, keeping the nearest weights beats keeping the "
            "largest.",
            rule="beats",
            arm="k 3 → 100",
            metric=TUNED,
            against="k 3 → 100",
            against_metric="tuned:magnitude@94.2",
            note="94.2 % zeros and one more epoch in both.",
        ),
        Claim(
            chapter="c4",
            key="beats-pruning-none",
            words="Sharpening, pruned to its nearest weights, beats the baseline pruned by "
            "magnitude.",
            rule="beats",
            arm="k 3 → 100",
            metric=TUNED,
            against="none",
            against_metric="tuned:magnitude@94.2",
            note="94.2 % zeros and one more epoch in both.",
        ),
        Claim(
            chapter="c4",
            key="beats-pruning-one-number",
            words="Sharpening, pruned to its nearest weights, beats a per-layer scalar pruned by "
            "magnitude.",
            rule="beats",
            arm="k 3 → 100",
            metric=TUNED,
            against="one number",
            against_metric="tuned:magnitude@94.2",
            note="94.2 % zeros and one more epoch in both. The scalar is the kernel's mean.",
        ),
        Claim(
            chapter="c4",
            key="beats-random-mask",
            words="Sharpening, pruned to its nearest weights, beats a random mask of the same "
            "size, trained from initialisation.",
            rule="beats",
            arm="k 3 → 100",
            metric=TUNED,
            against=RANDOM,
            against_metric="accuracy",
            note="Thirteen epochs against twelve, here and in the next three claims.",
        ),
        Claim(
            chapter="c4",
            key="beats-narrower",
            words="Sharpening, pruned to its nearest weights, beats a narrower dense network with "
            "as many weights.",
            rule="beats",
            arm="k 3 → 100",
            metric=TUNED,
            against=NARROWER,
            against_metric="accuracy",
        ),
        Claim(
            chapter="c4",
            key="as-good-as-sparse-training",
            words="Sharpening, pruned to its nearest weights, does at least as well as SET and as "
            "RigL.",
            rule="at_least",
            arm="k 3 → 100",
            metric=TUNED,
            against=(SET, RIGL),
            against_metric="accuracy",
            each=True,
        ),
        Claim(
            chapter="c4",
            key="as-good-as-one-number",
            words="Sharpening, pruned to its nearest weights, does at least as well as RigL and a "
            "narrower network, each with a per-layer scalar.",
            rule="at_least",
            arm="k 3 → 100",
            metric=TUNED,
            against=("RigL, one number", "narrower, one number"),
            against_metric="accuracy",
            each=True,
        ),
        Claim(
            chapter="c4",
            key="floor-zero-beats-random-mask",
            words="With floor 0 and pruned to its nearest weights, sharpening beats a random mask "
            "of the same size.",
            rule="beats",
            arm="floor 0",
            metric=ZEROED,
            against=RANDOM,
            against_metric="accuracy",
            note="Twelve epochs in both.",
        ),
        Claim(
            chapter="c4",
            key="band-beats-random",
            words="Trained from initialisation, a mask of the nearest weights beats a random mask "
            "of the same size.",
            rule="beats",
            arm="band mask",
            against=RANDOM,
        ),
    ),
)
