"""c6: does the gain last for 100 epochs?"""

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Schedule, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

LINEAR = "linear decay"
PRIORS: dict[str, Schedule] = {
    "none": Static(),
    "k 3 → 50": Sharpen(k_start=3, k_end=50),
    "one number": Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential())),
}
"""The log's best schedule, and a per-layer scalar that did as well in c2."""

CONSTANT = {name: Run(schedule=schedule, epochs=100) for name, schedule in PRIORS.items()}
FALLING = {
    f"{name}, {LINEAR}": replace(run, learning_rate_decay="linear")
    for name, run in CONSTANT.items()
}

STUDY = Study(
    id="c6",
    title="Does the gain last for 100 epochs?",
    section="",
    question=(
        "Does the gain from sharpening last for 100 epochs, and does it add to learning-rate decay?"
    ),
    changes="Changes relative to c2: 100 epochs instead of 12, five seeds.",
    arms={**CONSTANT, **FALLING},
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    # A run takes eight times as long as one of c2. In a family of five claims, the interval of
    # c2's gain (4.9 points, standard deviation 0.9) would be ± 1.8 points with five seeds, and
    # ± 5.0 with three, which would decide nothing.
    seeds=tuple(range(5)),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make a spatial prior more than an optimiser setting;
    # then the reverse.
    claims=(
        Claim(
            chapter="c6",
            key="inequality-matters",
            words="After 100 epochs sharpening beats a per-layer scalar.",
            rule="beats",
            arm="k 3 → 50",
            against="one number",
            note="If not, longer training needs no structure either.",
        ),
        Claim(
            chapter="c6",
            key="adds-to-decay",
            words="With linear learning-rate decay, sharpening beats the baseline.",
            rule="beats",
            arm=f"k 3 → 50, {LINEAR}",
            against=f"none, {LINEAR}",
            note="If not, learning-rate decay gives the gain too.",
        ),
        Claim(
            chapter="c6",
            key="inequality-adds-to-decay",
            words="With linear learning-rate decay, sharpening beats a per-layer scalar.",
            rule="beats",
            arm=f"k 3 → 50, {LINEAR}",
            against=f"one number, {LINEAR}",
        ),
        Claim(
            chapter="c6",
            key="gain-lasts",
            words="After 100 epochs at a constant learning rate, sharpening beats the baseline.",
            rule="beats",
            arm="k 3 → 50",
            against="none",
        ),
        Claim(
            chapter="c6",
            key="decay-helps",
            words="Without a prior, linear learning-rate decay beats a constant learning rate.",
            rule="beats",
            arm=f"none, {LINEAR}",
            against="none",
        ),
        Claim(
            chapter="c6",
            key="one-number-equals",
            words="After 100 epochs a per-layer scalar does as well as sharpening.",
            rule="equals",
            arm="one number",
            against="k 3 → 50",
            better="higher",
        ),
        Claim(
            chapter="c6",
            key="decay-does-as-well",
            words="Without a prior, linear learning-rate decay does at least as well as sharpening "
            "at a constant learning rate.",
            rule="at_least",
            arm=f"none, {LINEAR}",
            against="k 3 → 50",
        ),
    ),
)
