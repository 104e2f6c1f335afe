"""c6c: other optimisers, each at its own learning rate, and caps that bind."""

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential, Kernel, Scaled, Shuffled, Uniform
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.studies.c6b_their_rates import SETTINGS, at_their_rates
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

SGD, ADAMW = SETTINGS["SGD"], SETTINGS["AdamW"]
MEAN = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
ROOT_MEAN_SQUARE = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential(), power=2))


def _cap(kernel: Kernel) -> Run:
    return Run(action="cap", schedule=Static(kernel=Scaled(kernel=kernel)))


STUDY = Study(
    id="c6c",
    title="Other optimisers, and caps that bind",
    section="",
    question="Are the results the same under SGD and AdamW, and does a cap help if it binds?",
    changes=(
        "Changes relative to c2: SGD with momentum and AdamW, each at its own learning rates; "
        "relative to v8: caps in units of the initial weights."
    ),
    arms={
        "none": Run(),
        "exponential": Run(schedule=Static(kernel=Exponential())),
        "k 3 → 50": Run(schedule=Sharpen(k_start=3, k_end=50)),
        **at_their_rates(
            "SGD",
            {
                "root mean square": replace(SGD, schedule=ROOT_MEAN_SQUARE),
                "one number": replace(SGD, schedule=MEAN),
            },
        ),
        **at_their_rates("AdamW", {"one number": replace(ADAMW, schedule=MEAN)}),
        "cap, none": _cap(Uniform()),
        "cap, exponential": _cap(Exponential()),
        "cap, shuffled": _cap(Shuffled(kernel=Exponential())),
        "cap, one number": _cap(Averaged(kernel=Exponential())),
    },
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss", "cap_share"),
    # Ten seeds, because there are many arms.
    seeds=tuple(range(10)),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    # First the claims that, if they hold, make a spatial prior more than an optimiser setting;
    # then the reverse.
    claims=(
        Claim(
            chapter="c6c",
            key="sgd-inequality-matters",
            words="Under SGD sharpening beats a per-layer scalar, the root mean square of the "
            "kernel.",
            rule="beats",
            arm="SGD, k 3 → 50",
            against="SGD, root mean square",
            note="Under SGD a kernel value K acts as a learning rate of K² (c1); this scalar keeps "
            "its mean.",
        ),
        Claim(
            chapter="c6c",
            key="adamw-inequality-matters",
            words="Under AdamW sharpening beats a per-layer scalar, the kernel's mean.",
            rule="beats",
            arm="AdamW, k 3 → 50",
            against="AdamW, one number",
            note="If not, no structure is needed under AdamW either.",
        ),
        Claim(
            chapter="c6c",
            key="sgd-more-than-decay",
            words="Under SGD sharpening beats linear learning-rate decay, each at its best "
            "learning rate.",
            rule="beats",
            arm="SGD, k 3 → 50",
            against="SGD, linear decay",
        ),
        Claim(
            chapter="c6c",
            key="adamw-more-than-decay",
            words="Under AdamW sharpening beats linear learning-rate decay, each at its best "
            "learning rate.",
            rule="beats",
            arm="AdamW, k 3 → 50",
            against="AdamW, linear decay",
        ),
        Claim(
            chapter="c6c",
            key="sgd-beats-none",
            words="Under SGD sharpening beats the baseline, each at its best constant learning "
            "rate.",
            rule="beats",
            arm="SGD, k 3 → 50",
            against="SGD, none",
        ),
        Claim(
            chapter="c6c",
            key="adamw-beats-none",
            words="Under AdamW sharpening beats the baseline, each at its best constant learning "
            "rate.",
            rule="beats",
            arm="AdamW, k 3 → 50",
            against="AdamW, none",
        ),
        Claim(
            chapter="c6c",
            key="sgd-square-equals",
            words="Under SGD a per-layer scalar, the root mean square of the kernel, does as well "
            "as sharpening.",
            rule="equals",
            arm="SGD, root mean square",
            against="SGD, k 3 → 50",
            note="Both at the learning rate chosen for sharpening.",
            better="higher",
        ),
        Claim(
            chapter="c6c",
            key="adamw-one-number-equals",
            words="Under AdamW a per-layer scalar does as well as sharpening.",
            rule="equals",
            arm="AdamW, one number",
            against="AdamW, k 3 → 50",
            note="Both at the learning rate chosen for sharpening.",
            better="higher",
        ),
        Claim(
            chapter="c6c",
            key="caps-bind",
            words="After training, more than a tenth of the weights lie beyond the exponential "
            "cap.",
            rule="between",
            arm="cap, exponential",
            metric="cap_share",
            low=10.0,
            high=100.0,
            unit="%",
            note="In v8 hardly any did. If not, the next three claims say little.",
        ),
        Claim(
            chapter="c6c",
            key="cap-structure-matters",
            words="A cap by the exponential kernel beats a cap by its shuffled copy and one by its "
            "mean.",
            rule="beats",
            arm="cap, exponential",
            against=("cap, shuffled", "cap, one number"),
            each=True,
            note="If not, a cap needs no structure either.",
        ),
        Claim(
            chapter="c6c",
            key="cap-beats-none",
            words="A cap by the exponential kernel beats the baseline.",
            rule="beats",
            arm="cap, exponential",
            against="none",
        ),
        Claim(
            chapter="c6c",
            key="multiply-beats-cap",
            words="Multiplying by the exponential kernel beats a binding cap by the same kernel.",
            rule="beats",
            arm="exponential",
            against="cap, exponential",
            note="Both static, in the reference protocol.",
        ),
    ),
)
