"""c7: what does a prior add to the usual training recipe, with every arm tuned equally?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spatialnb.config.run import Run
from spatialnb.priors.schedules import Sharpen
from spatialnb.studies import c7a_search as search
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, int] = {
    "none": 25,
    "per-layer scalar": 35,
    "line, k 3 → 50": 35,
    "plane, k = 15": 10,
    "permuted, k = 15": 10,
    "shuffled, k = 15": 16,
}
"""The draw of c7a with the best validation accuracy, counted from 1, for every arm."""
LOGS = {
    "none, log's protocol": Run(),
    "line, log's protocol": Run(schedule=Sharpen(k_start=3, k_end=50)),
}
"""The log's baseline and its best arm as in v11: Adam, 0.003, constant."""


def at_its_best(name: str, **changes: Any) -> Run:
    """An arm of c7a at its best draw, trained on all training images, evaluated on test images."""
    run = replace(search.ARMS[name], **search.RECIPES[CHOSEN[name] - 1].settings())
    return replace(run, **changes)


STUDY = Study(
    id="c7",
    title="The usual recipe",
    section="",
    question="Does the prior still help when every arm gets today's usual recipe and the same "
    "amount of tuning?",
    changes="Changes relative to v11: AdamW; learning rate, its fall and weight decay as chosen "
    "for each arm in c7a, on held-out images.",
    arms={**{name: at_its_best(name) for name in search.ARMS}, **LOGS},
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that positions add nothing to the usual recipe.
    claims=(
        Claim(
            chapter="c7",
            since=2,
            key="plane-beats-none",
            words="The kernel on the pixel grid beats the baseline, each at its best.",
            rule="beats",
            arm="plane, k = 15",
            against="none",
            note="2.5 points are what one or two seeds had shown. If not, nothing is left of the "
            "prior.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="plane-beats-permuted",
            words="The kernel on the pixel grid beats the same kernel with the pixels permuted, "
            "each at its best.",
            rule="beats",
            arm="plane, k = 15",
            against="permuted, k = 15",
            note="If not, positions have no part in the gain.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="plane-beats-shuffled",
            words="The kernel on the pixel grid beats the same kernel values in random order, "
            "each at its best.",
            rule="beats",
            arm="plane, k = 15",
            against="shuffled, k = 15",
            note="If not, the spread of the values is all that counts.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="false-positions-give-nothing",
            words="With the pixels permuted the kernel does as well as the baseline, each at its "
            "best.",
            rule="equals",
            arm="permuted, k = 15",
            against="none",
            better="higher",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="line-gives-nothing",
            words="Sharpening in index order does not beat the baseline by half a point, each at "
            "its best.",
            rule="at_least",
            arm="none",
            against="line, k 3 → 50",
            note="If not, the log's own prior is worth something beside the usual recipe.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="scalar-gives-nothing",
            words="A per-layer scalar does not beat the baseline by half a point, each at its "
            "best.",
            rule="at_least",
            arm="none",
            against="per-layer scalar",
            note="If not, the scalar is more than a learning rate and a weight decay.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="recipe-beats-the-logs-best",
            words="The baseline at its best beats the log's best arm under the log's protocol.",
            rule="beats",
            arm="none",
            against="line, log's protocol",
            note="If so, the usual recipe gives more than the log's prior did.",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="recipe-helps-the-line-too",
            words="Sharpening in index order gains from the usual recipe.",
            rule="beats",
            arm="line, k 3 → 50",
            against="line, log's protocol",
        ),
        Claim(
            chapter="c7",
            since=2,
            key="a-smaller-gain-than-the-logs",
            words="True positions gain less over the tuned baseline than the 4.9 points that "
            "sharpening gained over the log's.",
            rule="between",
            arm="plane, k = 15",
            against="none",
            low=0.0,
            high=4.9,
        ),
    ),
)
