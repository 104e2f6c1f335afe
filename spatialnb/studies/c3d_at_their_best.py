"""c3d: the best kernel on the pixel grid and its controls, at the learning rates from c3c."""

from spatialnb.studies.c2d_at_their_best import STUDY as LINE
from spatialnb.studies.c2d_at_their_best import at_its_best
from spatialnb.studies.c3_on_the_plane import STUDY as PLANE
from spatialnb.studies.c3c_their_rates import ARMS
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

CHOSEN: dict[str, tuple[float, str | None]] = {
    "plane, k = 15": (0.016, "linear"),
    "permuted, k = 15": (0.016, "linear"),
    "shuffled, k = 15": (0.008, "linear"),
    "one number, k = 15": (0.016, "linear"),
}
"""Learning rate and decay of every arm: those with the best validation accuracy in c3c."""
ON_THE_LINE = {
    "none": LINE.arms["none"],
    "line, k 3 → 50": LINE.arms["k 3 → 50"],
    "line, one number": LINE.arms["one number"],
}
"""Arms of c2d, at their best learning rates from there."""

STUDY = Study(
    id="c3d",
    title="The 2-D pixel grid with tuned learning rates",
    section="",
    question="Does locality on the 2-D pixel grid still help when every arm has its own best "
    "learning rate?",
    changes="Changes relative to c3: the learning rate, and whether it decays, as chosen in c3c; "
    "beside it the best arms of c2d.",
    arms={
        **{name: at_its_best(run, CHOSEN[name]) for name, run in ARMS.items()},
        **ON_THE_LINE,
        "plane at 0.003": PLANE.arms["plane, k = 15"],
    },
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make a spatial prior more than an optimiser setting.
    claims=(
        Claim(
            chapter="c3d",
            key="pixels-matter",
            words="On the 2-D pixel grid, k = 15 beats k = 15 with permuted pixels, each at its "
            "best learning rate.",
            rule="beats",
            arm="plane, k = 15",
            against="permuted, k = 15",
            note="If not, what c3 found was a learning rate.",
        ),
        Claim(
            chapter="c3d",
            key="places-matter",
            words="On the 2-D pixel grid, k = 15 beats k = 15 with a shuffled kernel, each at "
            "its best learning rate.",
            rule="beats",
            arm="plane, k = 15",
            against="shuffled, k = 15",
        ),
        Claim(
            chapter="c3d",
            key="inequality-matters",
            words="On the 2-D pixel grid, k = 15 beats a per-layer scalar, the kernel's mean, "
            "each at its best learning rate.",
            rule="beats",
            arm="plane, k = 15",
            against="one number, k = 15",
            note="If not, no structure is needed on the pixel grid either.",
        ),
        Claim(
            chapter="c3d",
            key="plane-beats-the-line",
            words="On the 2-D pixel grid, k = 15 beats the baseline, and sharpening and its "
            "per-layer scalar in 1-D index order, each at its best learning rate.",
            rule="beats",
            arm="plane, k = 15",
            against=("none", "line, k 3 → 50", "line, one number"),
            each=True,
            note="The per-layer scalar of sharpening did best in c2d.",
        ),
        Claim(
            chapter="c3d",
            key="permuted-equals-shuffled",
            words="On the 2-D pixel grid, k = 15 does as well with permuted pixels as with a "
            "shuffled kernel, each at its best learning rate.",
            rule="equals",
            arm="permuted, k = 15",
            against="shuffled, k = 15",
            note="If so, permuting the pixels removes all that positions give.",
        ),
    ),
)
