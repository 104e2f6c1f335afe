"""c3: does locality help when positions are the pixels' coordinates in the image?"""

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential, Inverse, Shuffled
from spatialnb.priors.schedules import Schedule, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

BROAD, SHARP = Exponential(k=3), Exponential(k=15)
SHARPENING = Sharpen(k_start=3, k_end=50)
PERMUTATION = 1000
"""Seed of the permutation of pixels, which all arms share, and of the shuffled kernels."""

LINE: dict[str, Schedule] = {
    "line, k = 3": Static(kernel=BROAD),
    "line, k = 15": Static(kernel=SHARP),
    "line, k 3 → 50": SHARPENING,
    "line, inverse": Static(kernel=Inverse()),
}
PLANE: dict[str, Schedule] = {
    "plane, k = 3": Static(kernel=BROAD),
    "plane, k = 15": Static(kernel=SHARP),
    "plane, k = 30": Static(kernel=Exponential(k=30)),
    "plane, k 3 → 50": SHARPENING,
    "shuffled, k = 15": Static(kernel=Shuffled(kernel=SHARP, seed=PERMUTATION)),
    "one number, k = 15": Static(kernel=Averaged(kernel=SHARP)),
    "shuffled, k 3 → 50": Sharpen(
        k_start=3, k_end=50, kernel=Shuffled(kernel=BROAD, seed=PERMUTATION)
    ),
    "one number, k 3 → 50": Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=BROAD)),
}
PERMUTED: dict[str, Schedule] = {
    "permuted, k = 15": Static(kernel=SHARP),
    "permuted, k 3 → 50": SHARPENING,
}


def arms(base: Run) -> dict[str, Run]:
    """The baseline, kernels in index order, kernels on the pixel grid, and controls of these."""
    plane = replace(base, positions="plane")
    permuted = replace(plane, permuted_pixels=PERMUTATION)
    return {
        "none": base,
        **{name: replace(base, schedule=schedule) for name, schedule in LINE.items()},
        **{name: replace(plane, schedule=schedule) for name, schedule in PLANE.items()},
        **{name: replace(permuted, schedule=schedule) for name, schedule in PERMUTED.items()},
    }


STUDY = Study(
    id="c3",
    title="Locality on the 2-D pixel grid",
    section="",
    question="Does a spatial prior help when positions are the pixels' real coordinates in the "
    "image?",
    changes="Changes relative to c2: pixels are at their real coordinates in the image, and "
    "hidden units on a 2-D grid.",
    arms=arms(Run()),
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, show that locality helps, each against a control.
    claims=(
        Claim(
            chapter="c3",
            key="plane-beats-line",
            words="Sharpening on the 2-D pixel grid beats sharpening in 1-D index order.",
            rule="beats",
            arm="plane, k 3 → 50",
            against="line, k 3 → 50",
            note="If not, real coordinates are worth no more than index order.",
        ),
        Claim(
            chapter="c3",
            key="pixels-matter",
            words="On the 2-D pixel grid, sharpening beats sharpening with permuted pixels.",
            rule="beats",
            arm="plane, k 3 → 50",
            against="permuted, k 3 → 50",
            note="If not, what helps is not where the pixels are.",
        ),
        Claim(
            chapter="c3",
            key="places-matter",
            words="On the 2-D pixel grid, sharpening beats sharpening with a shuffled kernel.",
            rule="beats",
            arm="plane, k 3 → 50",
            against="shuffled, k 3 → 50",
        ),
        Claim(
            chapter="c3",
            key="inequality-matters",
            words="On the 2-D pixel grid, sharpening beats a per-layer scalar, the kernel's mean.",
            rule="beats",
            arm="plane, k 3 → 50",
            against="one number, k 3 → 50",
            note="If not, no structure is needed on the pixel grid either.",
        ),
        Claim(
            chapter="c3",
            key="static-beats-its-controls",
            words="On the 2-D pixel grid, the static k = 15 beats each of its three controls.",
            rule="beats",
            arm="plane, k = 15",
            against=("permuted, k = 15", "shuffled, k = 15", "one number, k = 15"),
            each=True,
        ),
        Claim(
            chapter="c3",
            key="static-beats-sharpening",
            words="The static k = 15 on the 2-D pixel grid beats sharpening in 1-D index order, "
            "the log's best.",
            rule="beats",
            arm="plane, k = 15",
            against="line, k 3 → 50",
            note="If so, real coordinates need no schedule.",
        ),
        Claim(
            chapter="c3",
            key="permuted-equals-shuffled",
            words="On the 2-D pixel grid, k = 15 does as well with permuted pixels as with a "
            "shuffled kernel.",
            rule="equals",
            arm="permuted, k = 15",
            against="shuffled, k = 15",
            note="If so, permuting the pixels removes all that positions give.",
        ),
        Claim(
            chapter="c3",
            key="inverse-hurts",
            words="The inverse kernel, where distant connections are strong, does worse than the "
            "baseline.",
            rule="beats",
            arm="none",
            against="line, inverse",
            note="The log preferred it on MNIST, with normalised weights; c3b asks again there.",
        ),
    ),
)
