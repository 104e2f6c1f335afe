"""c3c: learning rates for kernels on the pixel grid, chosen on held-out training images."""

from spatialnb.studies.c2c_learning_rates import DECAYS, at_every_rate
from spatialnb.studies.c2c_learning_rates import RATES as FIRST_RATES
from spatialnb.studies.c3_on_the_plane import STUDY as PLANE
from spatialnb.study.study import Quick, Study

ARMS = {
    arm: PLANE.arms[arm]
    for arm in ("plane, k = 15", "permuted, k = 15", "shuffled, k = 15", "one number, k = 15")
}
"""The best arm of c3, and its three controls."""
RATES = (*FIRST_RATES, 0.032, 0.064)
"""The rates of c2c, and two more, because three arms were best at the last rate of c2c."""
GRID = {
    decay: {name: at_every_rate(name, run, decay, RATES) for name, run in ARMS.items()}
    for decay in DECAYS
}
"""The arms by decay and kernel, in the order of :data:`RATES`."""

STUDY = Study(
    id="c3c",
    title="Tuning learning rates on the 2-D pixel grid",
    section="",
    question="Which learning rate suits the best kernel on the 2-D pixel grid, and each of its "
    "controls?",
    changes="Changes relative to c3: a range of learning rates; accuracy is measured on the last "
    "5,000 training images, which are held out, and not on the test images.",
    arms={
        arm: run for lines in GRID.values() for arms in lines.values() for arm, run in arms.items()
    },
    baseline="plane, k = 15, 0.001, constant",
    metrics=("validation_accuracy", "train_loss"),
    seeds=(0, 1),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=1, seeds=(0, 1), validation_size=200),
)
