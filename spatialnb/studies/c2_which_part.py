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
    title="Which part of the prior gives the gain",
    section="",
    question="Does sharpening help through its positions, its unequal kernel values, their mean, "
    "or as a learning rate?",
    changes="Changes relative to v11: sharpening 3 → 50 beside controls that lack part of it.",
    arms=ARMS,
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make a spatial prior more than an optimiser setting;
    # then the reverse.
    claims=(
        Claim(
            chapter="c2",
            key="places-matter",
            words="Sharpening beats sharpening with a shuffled kernel.",
            rule="beats",
            arm="k 3 → 50",
            against="shuffled",
            note="If not, locality is not what helps.",
        ),
        Claim(
            chapter="c2",
            key="inequality-matters",
            words="Sharpening beats a per-layer scalar, the kernel's mean in each layer.",
            rule="beats",
            arm="k 3 → 50",
            against="one number",
            note="If not, no structure is needed.",
        ),
        Claim(
            chapter="c2",
            key="keeping-matters",
            words="A kernel that is shuffled once beats one that is reshuffled in every epoch.",
            rule="beats",
            arm="shuffled",
            against="reshuffled",
            note="If not, no weight needs a kernel value of its own.",
        ),
        Claim(
            chapter="c2",
            key="more-than-its-rate",
            words="Sharpening beats a learning rate that falls as the kernel's mean does.",
            rule="beats",
            arm="k 3 → 50",
            against="only its rate",
            note="If not, such a learning rate gives the whole gain.",
        ),
        Claim(
            chapter="c2",
            key="more-than-linear-decay",
            words="Sharpening beats the baseline with linear learning-rate decay.",
            rule="beats",
            arm="k 3 → 50",
            against="linear decay",
            note="If not, a common optimiser setting does as well.",
        ),
        Claim(
            chapter="c2",
            key="one-number-equals",
            words="A per-layer scalar, the kernel's mean, does as well as sharpening.",
            rule="equals",
            arm="one number",
            against="k 3 → 50",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="linear-decay-helps",
            words="Linear learning-rate decay beats a constant learning rate.",
            rule="beats",
            arm="linear decay",
            against="none",
        ),
        Claim(
            chapter="c2",
            key="linear-decay-half",
            words="Linear learning-rate decay gives more than half of sharpening's gain.",
            rule="beats",
            arm="linear decay",
            against=("none", "k 3 → 50"),
            note="It is compared with the mean of the baseline and sharpening.",
        ),
        Claim(
            chapter="c2",
            key="rate-equals-number",
            words="The per-layer scalar, used as a learning-rate multiplier only, does as well "
            "as in full.",
            rule="equals",
            arm="only its rate",
            against="one number",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="shrink-helps",
            words="The per-layer scalar, used as weight decay only, beats the baseline.",
            rule="beats",
            arm="only its shrink",
            against="none",
        ),
        Claim(
            chapter="c2",
            key="root-mean-square-equals",
            words="As a per-layer scalar, the kernel's root mean square does as well as its mean.",
            rule="equals",
            arm="root mean square",
            against="one number",
            better="higher",
        ),
        Claim(
            chapter="c2",
            key="cosine-equals-linear",
            words="Cosine learning-rate decay does as well as linear decay.",
            rule="equals",
            arm="cosine decay",
            against="linear decay",
            better="higher",
        ),
    ),
)
