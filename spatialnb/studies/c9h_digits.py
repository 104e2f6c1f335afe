"""c9h: true positions and real zeros on MNIST."""

from __future__ import annotations

from spatialnb.studies import c9e_digits_search as search
from spatialnb.studies.c3b_mnist import MARGIN
from spatialnb.studies.c7a_search import at_draw
from spatialnb.studies.c7e_scalar_search import SCALAR
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {
    "none": 8,
    "plane, k = 15": 16,
    "nearest": 17,
    "permuted": 17,
    "random": 17,
    SCALAR: 6,
}
"""The draw of c9e with the best validation accuracy, counted from 1, for every arm."""


STUDY = Study(
    id="c9h",
    title="Real zeros on MNIST",
    section="",
    question="Do true positions and real zeros help on MNIST, where the baseline misclassifies "
    "only two digits in a hundred?",
    changes="Changes relative to c9: MNIST; settings chosen for each arm in c9e, on images held "
    "out.",
    arms={name: at_draw(search.GRID, name, CHOSEN[name]) for name in search.ARMS},
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss", "zeros", "weights"),
    datasets=("cifar10-jpeg", "cifar10"),
    any_engine=True,
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that positions matter only on photographs.
    claims=(
        Claim(
            chapter="c9h",
            since=2,
            key="nearest-beats-permuted",
            words="On MNIST nearest pixels beat the same mask with the pixels permuted, each at "
            "its best.",
            rule="beats",
            arm="nearest",
            against="permuted",
            margin=MARGIN,
        ),
        Claim(
            chapter="c9h",
            since=2,
            key="local-zeros-beat-dense",
            words="On MNIST a first layer whose units keep their nearest 5.8 % of the pixels beats "
            "the dense one, each at its best.",
            rule="beats",
            arm="nearest",
            against="none",
            margin=MARGIN,
        ),
        Claim(
            chapter="c9h",
            since=2,
            key="zeros-cost-nothing",
            words="On MNIST a random mask does at least as well as the dense layer, each at its "
            "best.",
            rule="at_least",
            arm="random",
            against="none",
            margin=MARGIN,
        ),
        Claim(
            chapter="c9h",
            since=2,
            key="zeros-as-good-as-small-weights",
            words="On MNIST nearest pixels do at least as well as all pixels under the kernel on "
            "the pixel grid, each at its best.",
            rule="at_least",
            arm="nearest",
            against="plane, k = 15",
            margin=MARGIN,
        ),
        Claim(
            chapter="c9h",
            since=2,
            key="nearest-beats-scalar",
            words="On MNIST nearest pixels beat a dense layer with a static scalar, each at its "
            "best.",
            rule="beats",
            arm="nearest",
            against=SCALAR,
            margin=MARGIN,
        ),
    ),
)
