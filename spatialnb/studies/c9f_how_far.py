"""c9f: up to how many zeros, and in how wide a layer, do true positions help?"""

from __future__ import annotations

from spatialnb.studies import c9_local_and_sparse as c9
from spatialnb.studies import c9b_wider_search as wider
from spatialnb.studies import c9c_levels_search as levels
from spatialnb.studies import c9i_scalar_search as with_scalars
from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.studies.c7a_search import at_draw
from spatialnb.studies.c9c_levels_search import at_level
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {
    "nearest, 81.4 %": 12,
    "permuted, 81.4 %": 12,
    "random, 81.4 %": 17,
    "nearest, 98 %": 11,
    "permuted, 98 %": 12,
    "random, 98 %": 12,
    "nearest, 99 %": 4,
    "permuted, 99 %": 17,
    "random, 99 %": 10,
    "narrow": 17,
}
"""The draw of c9c with the best validation accuracy, counted from 1, for every arm."""
CHOSEN_WIDE: dict[str, int] = {
    "nearest": 12,
    "permuted": 12,
    "random": 12,
    "window": 12,
    "dense": 22,
}
"""The same for c9b."""
CHOSEN_WITH_SCALAR: dict[str, int] = {
    "wide: nearest, scalar": 16,
    "wide: permuted, scalar": 16,
    "wide: random, scalar": 16,
    "wide: dense, scalar": 10,
}
"""The same for c9i."""

MASKS = ("nearest", "permuted", "random")
"""Choices of the inputs that a unit keeps."""
LEVELS = ("81.4 %", "98 %", "99 %")
"""Zeros in the first layer; 94.2 % is c9's."""
LINES: dict[str, list[tuple[float, str, str]]] = {
    "dense": [(0.0, "c9/none", "accuracy")],
    **{
        mask: [
            (81.4, f"{mask}, 81.4 %", "accuracy"),
            (94.2, f"c9/{mask}", "accuracy"),
            (98.0, f"{mask}, 98 %", "accuracy"),
            (99.0, f"{mask}, 99 %", "accuracy"),
        ]
        for mask in MASKS
    },
}
"""Lines of the figure: points of percentage of zeros in the first layer, arm, metric."""


def wide(name: str) -> str:
    """The study's name for an arm of c9b."""
    return f"wide: {name}"


STUDY = Study(
    id="c9f",
    title="How many zeros, and how wide a layer?",
    section="",
    question="How many zeros can a layer with true positions bear, and what does it gain from more "
    "units?",
    changes="Changes relative to c9: 81.4, 98 and 99 % zeros; a dense network with as many "
    "weights; 1,024 units in the first layer with 98 % zeros, with a static scalar and without. "
    "Settings are chosen for each arm in c9c, c9b and c9i, on held-out images. Ten seeds.",
    arms={
        **{name: at_draw(levels.GRID, name, draw) for name, draw in CHOSEN.items()},
        **{wide(name): at_draw(wider.GRID, name, draw) for name, draw in CHOSEN_WIDE.items()},
        **{
            name: at_draw(with_scalars.GRID, name, draw)
            for name, draw in CHOSEN_WITH_SCALAR.items()
        },
    },
    borrowed_arms={
        "c9/none": at_its_best("none"),
        **{f"c9/{name}": c9.STUDY.arms[name] for name in MASKS},
    },
    baseline="narrow",
    compared_with={
        **{f"nearest, {level}": f"permuted, {level}" for level in LEVELS},
        **{f"{mask}, {level}": f"random, {level}" for mask in MASKS[1:] for level in LEVELS},
        **{wide(mask): wide("dense") for mask in CHOSEN_WIDE},
        **dict.fromkeys(CHOSEN_WITH_SCALAR, "wide: dense, scalar"),
    },
    metrics=("accuracy", "train_loss", "test_loss", "zeros", "weights"),
    seeds=tuple(range(10)),  # a wide run takes four times as long as one of c9
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that the gain comes from the zeros or the width.
    claims=(
        *(
            Claim(
                chapter="c9f",
                since=2,
                key=f"nearest-beats-permuted-at-{key}",
                words=f"With {percent} % zeros in the first layer nearest pixels beat the same "
                "mask with the pixels permuted, each at its best.",
                rule="beats",
                arm=at_level("nearest", zeros),
                against=at_level("permuted", zeros),
            )
            for zeros, key, percent in (
                (0.814, "81-4", "81.4"),
                (0.98, "98", "98"),
                (0.99, "99", "99"),
            )
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="99-percent-cost-nothing",
            words="With 99 % zeros in the first layer, 30 inputs a unit, nearest pixels do at "
            "least as well as the dense layer, each at its best.",
            rule="at_least",
            arm=at_level("nearest", 0.99),
            against="c9/none",
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="nearest-beats-narrow",
            words="With 94.2 % zeros nearest pixels beat a narrow dense network with as many "
            "weights, each at its best.",
            rule="beats",
            arm="c9/nearest",
            against="narrow",
            note="If not, the zeros are a way to write down a smaller network.",
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-nearest-beats-dense",
            words="In a first layer of 1,024 units with 98 % zeros nearest pixels beat the dense "
            "layer of that width, each at its best.",
            rule="beats",
            arm=wide("nearest"),
            against=wide("dense"),
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-nearest-beats-permuted",
            words="In a first layer of 1,024 units with 98 % zeros nearest pixels beat the same "
            "mask with the pixels permuted, each at its best.",
            rule="beats",
            arm=wide("nearest"),
            against=wide("permuted"),
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-nearest-beats-smaller-dense",
            words="1,024 local units with 98 % zeros, a quarter of the weights, beat the dense "
            "256-128 network, each at its best.",
            rule="beats",
            arm=wide("nearest"),
            against="c9/none",
            note="Two seeds had shown 5 points.",
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-nearest-beats-nearest",
            words="1,024 local units with 98 % zeros beat 256 local units with 94.2 %, each at its "
            "best.",
            rule="beats",
            arm=wide("nearest"),
            against="c9/nearest",
            note="If not, width adds nothing.",
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-zeros-cost-nothing",
            words="In a first layer of 1,024 units a random mask with 98 % zeros does at least as "
            "well as the dense layer, each at its best.",
            rule="at_least",
            arm=wide("random"),
            against=wide("dense"),
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-window-is-nearest",
            words="In a first layer of 1,024 units square windows do as well as the nearest "
            "pixels, each at its best.",
            rule="equals",
            arm=wide("window"),
            against=wide("nearest"),
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-scalars-in-both",
            words="In a first layer of 1,024 units, with a static scalar in both, nearest pixels "
            "with 98 % zeros beat the dense layer, each at its best.",
            rule="beats",
            arm="wide: nearest, scalar",
            against="wide: dense, scalar",
            note="Written after c7e had shown how good that scalar is, and before the runs.",
        ),
        Claim(
            chapter="c9f",
            since=2,
            key="wide-positions-with-scalars",
            words="In a first layer of 1,024 units, with a static scalar in both, nearest pixels "
            "with 98 % zeros beat the same mask with the pixels permuted, each at its best.",
            rule="beats",
            arm="wide: nearest, scalar",
            against="wide: permuted, scalar",
            note="Written with the claim before it.",
        ),
    ),
)
