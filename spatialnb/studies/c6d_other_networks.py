"""c6d: a wider perceptron, a convolutional network's classifier, a transformer's MLPs."""

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Sharpen
from spatialnb.studies.c6b_their_rates import SETTINGS, at_their_rates, lines
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

MEAN = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
WIDE = Run(hidden=(1024, 512))

NETWORKS = {
    "wide": "In a network four times as wide",
    "convolutional": "In a convolutional network's classifier",
    "transformer": "In a transformer's MLPs",
}
"""The networks, with the words with which their claims begin."""


def _arms(network: str) -> dict[str, Run]:
    if network != "wide":
        base = SETTINGS[network]
        return at_their_rates(network, {"one number": replace(base, schedule=MEAN)})
    arms = {**lines(WIDE), "one number": replace(WIDE, schedule=MEAN)}
    return {f"wide, {name}": run for name, run in arms.items()}


def _claims(network: str, where: str) -> tuple[Claim, ...]:
    sharpening, number = f"{network}, k 3 → 50", f"{network}, one number"
    return (
        Claim(
            chapter="c6d",
            key=f"{network}-inequality-matters",
            words=f"{where}, sharpening beats a per-layer scalar.",
            rule="beats",
            arm=sharpening,
            against=number,
            note="If not, no structure is needed there either.",
        ),
        Claim(
            chapter="c6d",
            key=f"{network}-more-than-decay",
            words=f"{where}, sharpening beats linear learning-rate decay.",
            rule="beats",
            arm=sharpening,
            against=f"{network}, linear decay",
        ),
        Claim(
            chapter="c6d",
            key=f"{network}-beats-none",
            words=f"{where}, sharpening beats the baseline.",
            rule="beats",
            arm=sharpening,
            against=f"{network}, none",
        ),
        Claim(
            chapter="c6d",
            key=f"{network}-one-number-equals",
            words=f"{where}, a per-layer scalar does as well as sharpening.",
            rule="equals",
            arm=number,
            against=sharpening,
            note="Both at the learning rate chosen for sharpening.",
            better="higher",
        ),
    )


STUDY = Study(
    id="c6d",
    title="Does the gain carry over to other networks?",
    section="",
    question=(
        "Are the results the same in a wider network, in a convolutional network, and in a "
        "transformer?"
    ),
    changes=(
        "Changes relative to c2: other networks, five seeds; the prior acts on a convolutional "
        "network's classifier and on a transformer's MLPs alone."
    ),
    arms={name: run for network in NETWORKS for name, run in _arms(network).items()},
    baseline="wide, none",
    compared_with={name: f"{network}, none" for network in NETWORKS for name in _arms(network)},
    metrics=("accuracy", "train_loss", "test_loss"),
    # A run takes four times as long as one of c2. Differences between arms of one network have a
    # standard deviation of 0.3 to 0.9 points in c2.
    seeds=tuple(range(5)),
    datasets=("cifar10",),
    quick=Quick(dataset="quick-colours", epochs=2, seeds=(0, 1), train_size=400),
    # For each network, first the claims that make a spatial prior more than an optimiser setting.
    claims=tuple(claim for network, where in NETWORKS.items() for claim in _claims(network, where)),
)
