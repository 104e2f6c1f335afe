"""c7f: is the gain from false positions, with the usual recipe, that of a per-layer scalar?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spatialnb.config.run import Run
from spatialnb.studies import c7e_scalar_search as search
from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.studies.c7a_search import RECIPES
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {search.SCALAR: 13, search.LINE: 17}
"""The draw of c7e with the best validation accuracy, counted from 1, for every arm."""
COMPARED = ("none", "plane, k = 15", "permuted, k = 15", "shuffled, k = 15")
"""Arms of c7, unchanged."""


def at_its_best_draw(name: str, **changes: Any) -> Run:
    """An arm of c7e at its best draw, trained on all training images, evaluated on test images."""
    run = replace(search.ARMS[name], **RECIPES[CHOSEN[name] - 1].settings())
    return replace(run, **changes)


STUDY = Study(
    id="c7f",
    title="What wrong positions gain",
    section="",
    question="Under the usual recipe, a kernel with wrong positions gains about one point. Does a "
    "scalar gain as much?",
    changes="Changes relative to c7: a static scalar, the mean of the kernel on the pixel grid, "
    "and the log's static kernel, each with settings chosen for it in c7e.",
    arms={
        **{name: at_its_best(name) for name in COMPARED},
        **{name: at_its_best_draw(name) for name in search.ARMS},
    },
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # Written after c7 had shown the gain from false positions, and before any of these runs.
    claims=(
        Claim(
            chapter="c7f",
            since=2,
            key="scalar-equals-permuted",
            words="A static scalar, the kernel's mean, does as well as the kernel on the pixel "
            "grid with permuted pixels, each at its best.",
            rule="equals",
            arm=search.SCALAR,
            against="permuted, k = 15",
            note="If not, unequal multipliers give something wherever they are.",
        ),
        Claim(
            chapter="c7f",
            since=2,
            key="scalar-equals-shuffled",
            words="A static scalar, the kernel's mean, does as well as the shuffled kernel, each "
            "at its best.",
            rule="equals",
            arm=search.SCALAR,
            against="shuffled, k = 15",
        ),
        Claim(
            chapter="c7f",
            since=2,
            key="scalar-beats-none",
            words="A static scalar, the kernel's mean, beats the baseline, each at its best.",
            rule="beats",
            arm=search.SCALAR,
            against="none",
        ),
        Claim(
            chapter="c7f",
            since=2,
            key="line-equals-scalar",
            words="The log's static kernel in index order, k = 15, does as well as the static "
            "scalar, each at its best.",
            rule="equals",
            arm=search.LINE,
            against=search.SCALAR,
            note="If it is ahead, index order gives something after all.",
        ),
        Claim(
            chapter="c7f",
            since=2,
            key="plane-beats-scalar",
            words="The kernel on the pixel grid beats the static scalar, its mean, each at its "
            "best.",
            rule="beats",
            arm="plane, k = 15",
            against=search.SCALAR,
            note="This is what true positions give.",
        ),
    ),
)
