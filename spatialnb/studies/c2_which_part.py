"""c2: which part of the prior helps?"""

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential, Shuffled
from spatialnb.priors.schedules import Reshuffled, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

SHARPENING = Sharpen(k_start=3, k_end=50)
MEAN = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
ROOT_MEAN_SQUARE = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential(), power=2))
SHUFFLED = Sharpen(k_start=3, k_end=50, kernel=Shuffled(kernel=Exponential()))

ARMS = {
    "none": Run(),
    "exponential": Run(schedule=Static(kernel=Exponential())),
    "k 3 → 50": Run(schedule=SHARPENING),
    "shuffled": Run(schedule=SHUFFLED),
    "reshuffled": Run(schedule=Reshuffled(schedule=SHARPENING)),
    "one number": Run(schedule=MEAN),
    "only its rate": Run(schedule=MEAN, folded=("update",)),
    "only its shrink": Run(schedule=MEAN, folded=("shrink",)),
    "linear decay": Run(learning_rate_decay="linear"),
    "root mean square": Run(schedule=ROOT_MEAN_SQUARE),
    "cosine decay": Run(learning_rate_decay="cosine"),
}

STUDY = Study(
    id="c2",
    title="Which part of it helps",
    section="",
    question="What of sharpening helps: places, unequal strengths, one number, or a learning rate?",
    changes=("Changes relative to v11: sharpening 3 → 50 beside controls that lack some of it."),
    arms=ARMS,
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First what would show a spatial prior to be more than an optimiser setting, then the reverse.
    claims=(
        Claim(
            chapter="c2",
            key="places-matter",
            words="Sharpening beats the same strengths at shuffled places.",
            rule="beats",
            arm="k 3 → 50",
            against="shuffled",
            note="If not, what helps is not locality.",
        ),
        Claim(
            chapter="c2",
            key="inequality-matters",
            words="Sharpening beats one number for all weights of a layer, its mean strength.",
            rule="beats",
            arm="k 3 → 50",
            against="one number",
            note="If not, no structure is needed.",
        ),
        Claim(
            chapter="c2",
            key="keeping-matters",
            words="Strengths that keep their shuffled places beat strengths shuffled every epoch.",
            rule="beats",
            arm="shuffled",
            against="reshuffled",
            note="If not, no weight needs a strength of its own.",
        ),
        Claim(
            chapter="c2",
            key="more-than-its-rate",
            words="Sharpening beats a learning rate that falls as the mean strength does.",
            rule="beats",
            arm="k 3 → 50",
            against="only its rate",
            note="If not, the gain is that of a learning rate that falls in this way.",
        ),
        Claim(
            chapter="c2",
            key="more-than-linear-decay",
            words="Sharpening beats a plain network with a linearly falling learning rate.",
            rule="beats",
            arm="k 3 → 50",
            against="linear decay",
            note="If not, a common setting of the optimiser does as well.",
        ),
        Claim(
            chapter="c2",
            key="one-number-equals",
            words="One number for all weights of a layer does as well as sharpening.",
            rule="equals",
            arm="one number",
            against="k 3 → 50",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="linear-decay-helps",
            words="A linearly falling learning rate beats a constant one.",
            rule="beats",
            arm="linear decay",
            against="none",
        ),
        Claim(
            chapter="c2",
            key="linear-decay-half",
            words="A linearly falling learning rate gives more than half of sharpening's gain.",
            rule="beats",
            arm="linear decay",
            against=("none", "k 3 → 50"),
            note="Half of the gain is where the mean of none and sharpening lies.",
        ),
        Claim(
            chapter="c2",
            key="rate-equals-number",
            words="The learning rate that one number amounts to does as well as that number.",
            rule="equals",
            arm="only its rate",
            against="one number",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="shrink-helps",
            words="Shrinking the weights as the mean strength falls, and nothing else, beats none.",
            rule="beats",
            arm="only its shrink",
            against="none",
        ),
        Claim(
            chapter="c2",
            key="root-mean-square-equals",
            words="The root mean square of the strengths does as well as their mean.",
            rule="equals",
            arm="root mean square",
            against="one number",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="cosine-equals-linear",
            words="A cosine decay of the learning rate does as well as a linear one.",
            rule="equals",
            arm="cosine decay",
            against="linear decay",
            better="higher",
        ),
    ),
)
