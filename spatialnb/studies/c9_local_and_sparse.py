"""c9: true positions together with real zeros, each arm at its best settings."""

from __future__ import annotations

from spatialnb.studies import c9a_search as search
from spatialnb.studies import c9i_scalar_search as with_scalars
from spatialnb.studies.c7_usual_recipe import at_its_best
from spatialnb.studies.c7a_search import at_draw
from spatialnb.studies.c7e_scalar_search import SCALAR
from spatialnb.studies.c7f_false_positions import at_its_best_draw
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {
    "nearest": 12,
    "permuted": 12,
    "random": 12,
    "window": 8,
    "line": 12,
    "SET": 12,
    "RigL": 12,
}
"""The draw of c9a with the best validation accuracy, counted from 1, for every arm."""
CHOSEN_WITH_SCALAR: dict[str, int] = {
    "nearest, scalar": 16,
    "permuted, scalar": 16,
    "random, scalar": 6,
}
"""The same for c9i."""
DENSE = ("none", "plane, k = 15")
"""Arms of c7, unchanged."""


STUDY = Study(
    id="c9",
    title="Really local, really sparse",
    section="",
    question="The log hoped for locality and for sparsity. What do true positions and real zeros "
    "achieve together?",
    changes="Changes relative to c7: 94.2 % of the first layer's weights are zero from the first "
    "step on, at fixed positions; learning rate, its fall, weight decay and start as chosen for "
    "each arm in c9a, on held-out images.",
    arms={
        **{name: at_its_best(name) for name in DENSE},
        **{name: at_draw(search.GRID, name, CHOSEN[name]) for name in search.ARMS},
        SCALAR: at_its_best_draw(SCALAR),
        **{
            name: at_draw(with_scalars.GRID, name, draw)
            for name, draw in CHOSEN_WITH_SCALAR.items()
        },
    },
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss", "zeros", "weights"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that locality and sparsity cost each other.
    claims=(
        Claim(
            chapter="c9",
            since=2,
            key="local-zeros-beat-dense",
            words="A first layer whose units keep their nearest 5.8 % of the pixels beats the "
            "dense one, each at its best.",
            rule="beats",
            arm="nearest",
            against="none",
            note="One seed had shown 3.2 points. If not, locality and zeros together cost "
            "accuracy.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="nearest-beats-permuted",
            words="Nearest pixels beat the same mask with the pixels permuted, each at its best.",
            rule="beats",
            arm="nearest",
            against="permuted",
            note="If not, zeros help and positions do not.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="nearest-beats-random",
            words="Nearest pixels beat as many at random, each at its best.",
            rule="beats",
            arm="nearest",
            against="random",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="permuted-is-random",
            words="With the pixels permuted the mask does as well as a random one, each at its "
            "best.",
            rule="equals",
            arm="permuted",
            against="random",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="zeros-cost-nothing",
            words="A random mask does at least as well as the dense layer, each at its best.",
            rule="at_least",
            arm="random",
            against="none",
            note="If so, nine tenths of the network's weights are not needed, wherever they are.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="zeros-as-good-as-small-weights",
            words="Nearest pixels do at least as well as all pixels under the kernel on the pixel "
            "grid, each at its best.",
            rule="at_least",
            arm="nearest",
            against="plane, k = 15",
            note="If so, the kernel's distant weights can be left out.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="window-is-nearest",
            words="A square window of pixels does as well as the nearest pixels, each at its best.",
            rule="equals",
            arm="window",
            against="nearest",
            note="Windows are those of a locally connected layer.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="nearest-beats-the-line",
            words="Nearest pixels beat the nearest inputs in the log's index order, each at its "
            "best.",
            rule="beats",
            arm="nearest",
            against="line",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="nearest-beats-sparse-training",
            words="Nearest pixels beat SET and RigL, which look for positions while they train, "
            "each at its best.",
            rule="beats",
            arm="nearest",
            against=("SET", "RigL"),
            each=True,
        ),
        Claim(
            chapter="c9",
            since=2,
            key="zeros-of-the-whole",
            words="Over the whole network 90.3 % of the weights are zero, within half a point.",
            rule="between",
            arm="nearest",
            metric="zeros",
            low=89.8,
            high=90.8,
            unit="%",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="nearest-beats-scalar",
            words="Nearest pixels beat a dense layer with a static scalar, each at its best.",
            rule="beats",
            arm="nearest",
            against=SCALAR,
            note="Written after the searches, which showed how good that scalar is, and before "
            "the runs.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="scalars-in-both",
            words="With a static scalar in both, nearest pixels beat the dense layer, each at its "
            "best.",
            rule="beats",
            arm="nearest, scalar",
            against=SCALAR,
            note="Written with the claim before it.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="positions-with-scalars",
            words="With a static scalar in both, nearest pixels beat the same mask with the "
            "pixels permuted, each at its best.",
            rule="beats",
            arm="nearest, scalar",
            against="permuted, scalar",
            note="Written with the claim before it.",
        ),
        Claim(
            chapter="c9",
            since=2,
            key="line-beats-random",
            words="The nearest inputs in the log's index order beat as many at random, each at "
            "its best.",
            rule="beats",
            arm="line",
            against="random",
            note="Written after the search, in which index order came near the pixel grid, and "
            "before the runs: 177 inputs in a row are five or six rows of pixels, which is a "
            "neighbourhood in the image, too.",
        ),
    ),
)
