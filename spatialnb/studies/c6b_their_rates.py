"""c6b: learning rates for other optimisers and networks, chosen on held-out training images."""

from collections.abc import Mapping
from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.schedules import Sharpen
from spatialnb.study.study import Quick, Study

SETTINGS = {
    "SGD": Run(optimizer="sgd"),
    "AdamW": Run(optimizer="adamw", weight_decay=0.1),
    "convolutional": Run(network="convolutional"),
    "transformer": Run(network="transformer", hidden=(256, 256)),
}
"""SGD with momentum and AdamW train the log's network; the other networks use Adam."""
RATES = {
    "SGD": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "AdamW": (0.0001, 0.0003, 0.001, 0.003, 0.01),
    "convolutional": (0.0001, 0.0003, 0.001, 0.003, 0.01),
    "transformer": (0.0003, 0.001, 0.003, 0.01, 0.03),
}
"""Two rates per factor of ten; up to 0.3 for SGD, because a prior multiplies its steps by the
square of the kernel value. The first rates of SGD, AdamW and the convolutional network and the last
rate of the transformer were added after an arm of each had been best at the end of its grid."""


def lines(base: Run) -> dict[str, Run]:
    """The baseline, the baseline with linear learning-rate decay, and sharpening."""
    return {
        "none": base,
        "linear decay": replace(base, learning_rate_decay="linear"),
        "k 3 → 50": replace(base, schedule=Sharpen(k_start=3, k_end=50)),
    }


def _arms(setting: str, line: str, run: Run) -> dict[str, Run]:
    return {
        f"{setting}, {line}, {rate:g}": replace(run, learning_rate=rate, validation_size=5000)
        for rate in RATES[setting]
    }


GRID = {
    setting: {line: _arms(setting, line, run) for line, run in lines(base).items()}
    for setting, base in SETTINGS.items()
}
"""The arms by setting and by the names from :func:`lines`, in the order of :data:`RATES`."""
EACH = {
    setting: {f"{setting}, {line}": arms for line, arms in grid.items()}
    for setting, grid in GRID.items()
}
"""The same by the names used in c6c and c6d; a learning rate is chosen for each of these."""

TAKEN: Mapping[str, float] = {
    "SGD, none": 0.003,
    "SGD, linear decay": 0.01,
    "SGD, k 3 → 50": 0.1,
    "AdamW, none": 0.0003,
    "AdamW, linear decay": 0.003,
    "AdamW, k 3 → 50": 0.003,
    "convolutional, none": 0.0003,
    "convolutional, linear decay": 0.001,
    "convolutional, k 3 → 50": 0.003,
    "transformer, none": 0.003,
    "transformer, linear decay": 0.003,
    "transformer, k 3 → 50": 0.01,
}
"""The chosen learning rates: those with the highest mean validation accuracy after the last epoch.
A test compares them with the records."""


def at_their_rates(setting: str, more: Mapping[str, Run]) -> dict[str, Run]:
    """The arms of a setting at their chosen rates, and more arms at the rate chosen for sharpening.

    Parameters
    ----------
    setting : a key of :data:`SETTINGS`.
    more : further arms, by their names without the setting's name.
    """
    taken = {
        line: replace(run, learning_rate=TAKEN[f"{setting}, {line}"])
        for line, run in lines(SETTINGS[setting]).items()
    }
    rate = taken["k 3 → 50"].learning_rate
    others = {name: replace(run, learning_rate=rate) for name, run in more.items()}
    return {f"{setting}, {name}": run for name, run in {**taken, **others}.items()}


STUDY = Study(
    id="c6b",
    title="Learning rates for other optimisers and networks",
    section="",
    question="Which learning rates suit other optimisers and networks, with and without the prior?",
    changes="Changes relative to c2c: SGD with momentum, AdamW, and two other networks.",
    arms={
        arm: run for grid in GRID.values() for arms in grid.values() for arm, run in arms.items()
    },
    baseline="AdamW, none, 0.001",
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10",),
    quick=Quick(
        dataset="quick-colours", epochs=1, seeds=(0, 1), train_size=400, validation_size=200
    ),
)
