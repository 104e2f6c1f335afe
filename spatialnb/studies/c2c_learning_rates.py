"""c2c: the learning rate of every arm, chosen on held-out training images."""

import dataclasses
from collections.abc import Sequence

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential, Shuffled
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.study.study import Quick, Study

PRIORS = {
    "none": Run(),
    "exponential": Run(schedule=Static(kernel=Exponential())),
    "k 3 → 50": Run(schedule=Sharpen(k_start=3, k_end=50)),
    "shuffled": Run(schedule=Sharpen(k_start=3, k_end=50, kernel=Shuffled(kernel=Exponential()))),
    "one number": Run(schedule=Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))),
}
"""The main arms of c2."""
RATES = tuple(0.000125 * 2**step for step in range(8))
"""From 0.000125 to 0.016 in factors of two."""
DECAYS = ("constant", "linear")
"""Learning-rate decay: none, or linear to zero."""


def at_every_rate(
    name: str, run: Run, decay: str, rates: Sequence[float] = RATES
) -> dict[str, Run]:
    """A run at every learning rate, evaluated on the held-out images."""
    return {
        f"{name}, {rate:g}, {decay}": dataclasses.replace(
            run,
            learning_rate=rate,
            learning_rate_decay=None if decay == "constant" else decay,
            validation_size=5000,
        )
        for rate in rates
    }


GRID = {
    decay: {name: at_every_rate(name, run, decay) for name, run in PRIORS.items()}
    for decay in DECAYS
}
"""The arms by decay and prior, in the order of :data:`RATES`."""

STUDY = Study(
    id="c2c",
    title="Tuning every arm's learning rate",
    section="",
    question="Which learning rate suits each arm, and should it decay?",
    changes="Changes relative to c2: a range of learning rates; accuracy is measured on the last "
    "5,000 training images, which are held out, and not on the test images.",
    arms={
        arm: run for lines in GRID.values() for arms in lines.values() for arm, run in arms.items()
    },
    baseline="none, 0.001, constant",
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
