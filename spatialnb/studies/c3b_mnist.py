"""c3b: the arms of c3 on MNIST, and why the report liked the inverse kernel there."""

from spatialnb.config.run import Run
from spatialnb.studies.c3_on_the_plane import arms
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

MARGIN = 0.2
"""Points of accuracy that do not matter: about 7 % of the errors of a plain network here."""
LEFT_OUT = ("shuffled, k 3 → 50", "one number, k 3 → 50", "permuted, k 3 → 50")

STUDY = Study(
    id="c3b",
    title="The same on MNIST",
    section="",
    question=(
        "Is the inverse kernel the best on MNIST where kernels multiply, as they do on CIFAR-10? "
        "And does locality on the plane help there?"
    ),
    changes="Changes relative to c3: MNIST, 5 epochs; its sharpening has no controls of its own.",
    arms={
        name: run
        for name, run in arms(Run(dataset="mnist", epochs=5)).items()
        if name not in LEFT_OUT
    },
    baseline="none",
    metrics=("accuracy", "train_loss", "test_loss"),
    datasets=("cifar10-jpeg", "cifar10"),
    quick=Quick(dataset="quick-digits", epochs=3, seeds=(0, 1)),
    claims=(
        Claim(
            chapter="c3b",
            key="inverse-best",
            words="The inverse kernel beats none and the exponential kernel on the line.",
            rule="beats",
            arm="line, inverse",
            against=("none", "line, k = 3"),
            each=True,
            margin=MARGIN,
            note="The report's order with normalised weights; here kernels multiply.",
        ),
        Claim(
            chapter="c3b",
            key="exponential-worse",
            words="The exponential kernel on the line does worse than none.",
            rule="beats",
            arm="none",
            against="line, k = 3",
            margin=MARGIN,
            note="The report's order with normalised weights; here kernels multiply.",
        ),
        Claim(
            chapter="c3b",
            key="plane-beats-line",
            words="On the plane, k = 15 beats k = 15 on the line.",
            rule="beats",
            arm="plane, k = 15",
            against="line, k = 15",
            margin=MARGIN,
        ),
        Claim(
            chapter="c3b",
            key="pixels-matter",
            words="On the plane, k = 15 beats the same with the pixels permuted.",
            rule="beats",
            arm="plane, k = 15",
            against="permuted, k = 15",
            margin=MARGIN,
            note="If not, what helps is not where the pixels are.",
        ),
        Claim(
            chapter="c3b",
            key="places-matter",
            words="On the plane, k = 15 beats the same strengths at shuffled places.",
            rule="beats",
            arm="plane, k = 15",
            against="shuffled, k = 15",
            margin=MARGIN,
        ),
        Claim(
            chapter="c3b",
            key="inequality-matters",
            words="On the plane, k = 15 beats one number for all weights of a layer, its mean.",
            rule="beats",
            arm="plane, k = 15",
            against="one number, k = 15",
            margin=MARGIN,
        ),
        Claim(
            chapter="c3b",
            key="static-beats-sharpening",
            words="The static k = 15 on the plane beats sharpening on the line.",
            rule="beats",
            arm="plane, k = 15",
            against="line, k 3 → 50",
            margin=MARGIN,
        ),
        Claim(
            chapter="c3b",
            key="permuted-equals-shuffled",
            words="With the pixels permuted, k = 15 does as well as its shuffled strengths.",
            rule="equals",
            arm="permuted, k = 15",
            against="shuffled, k = 15",
            margin=MARGIN,
            note="If so, permuting the pixels takes away all that places give.",
        ),
    ),
)
