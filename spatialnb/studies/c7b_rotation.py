"""c7b: why a per-layer scalar works: how far weight vectors rotate, and when."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.studies import c3_on_the_plane as c3
from spatialnb.studies import c6c_other_optimisers as c6c
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

MADAM_RATE = 0.01
"""The default learning rate in the paper on Madam."""

ARMS = {
    "none": Run(),
    "sharpening": Run(schedule=Sharpen(k_start=3, k_end=50)),
    "scalar": Run(schedule=Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))),
    "fixed scalar": Run(schedule=Static(kernel=Averaged(kernel=Exponential()))),
    "learned scalar": Run(reparametrisation="learned_scalar"),
    "weight normalisation": Run(reparametrisation="weight_norm"),
    "weight compander": Run(reparametrisation="weight_compander"),
    "linear decay": Run(learning_rate_decay="linear"),
    "AdamW, linear decay": c6c.STUDY.arms["AdamW, linear decay"],
    "Madam": Run(optimizer="madam", learning_rate=MADAM_RATE),
    "plane, k = 15": c3.STUDY.arms["plane, k = 15"],
    "shuffled, k = 15": c3.STUDY.arms["shuffled, k = 15"],
}

STUDY = Study(
    id="c7b",
    title="Does a scalar work by rotation?",
    section="",
    question="Do sharpening and a per-layer scalar help because of how far, and when, weight "
    "vectors turn?",
    changes="Changes relative to c2: after every epoch, the angle by which each unit's weight "
    "vector has turned, its norm, and the share of weights with a new sign; other ways to write "
    "or to update a weight.",
    arms={name: replace(run, rotation=True) for name, run in ARMS.items()},
    baseline="none",
    metrics=("accuracy", "angle:0", "angle_from_start:0", "norm:0", "sign_flips:0"),
    datasets=("cifar10", "mnist"),
    quick=Quick(dataset="quick-colours", epochs=12, seeds=(0, 1)),
    # First the claims that, if they hold, show that rotation is not the mechanism.
    claims=(
        Claim(
            chapter="c7b",
            since=2,
            key="turn-alike-late",
            words="In the last epoch a scalar turns first-layer vectors as far as sharpening does, "
            "within a tenth.",
            rule="between",
            arm="scalar",
            against="sharpening",
            metric="angle:0",
            as_share=True,
            low=90.0,
            high=110.0,
            unit="%",
            note="If not, they do not help by the same rotation.",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="turn-alike-midway",
            words="In the sixth epoch a scalar turns first-layer vectors as far as sharpening "
            "does, within a tenth.",
            rule="between",
            arm="scalar",
            against="sharpening",
            metric="angle:0@5",
            as_share=True,
            low=90.0,
            high=110.0,
            unit="%",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="less-than-none-late",
            words="In the last epoch vectors turn farther without a prior than with a scalar.",
            rule="beats",
            arm="none",
            against="scalar",
            metric="angle:0",
            unit="°",
            note="If not, a scalar does not help by slowing rotation down at the end.",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="decay-slows-more",
            words="A linearly falling learning rate turns vectors less in the last epoch than a "
            "scalar does.",
            rule="beats",
            arm="scalar",
            against="linear decay",
            metric="angle:0",
            unit="°",
            note="It gains less (c2). If this holds, a slow end is not all of the gain.",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="scalar-turns-more-midway",
            words="In the sixth epoch a scalar turns vectors farther than linear decay does.",
            rule="beats",
            arm="scalar",
            against="linear decay",
            metric="angle:0@5",
            unit="°",
            note="By shrinking weights a scalar would keep the angle of a step large: the "
            "mechanism of weight decay in rotation.",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="as-far-as-adamw",
            words="After the last epoch vectors have turned as far from their start with a scalar "
            "as under AdamW with linear decay, within a tenth.",
            rule="between",
            arm="scalar",
            against="AdamW, linear decay",
            metric="angle_from_start:0",
            as_share=True,
            low=90.0,
            high=110.0,
            unit="%",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="plane-is-not-rotation",
            words="The kernel on the pixel grid turns vectors in the last epoch as far as the "
            "same kernel shuffled, within a tenth.",
            rule="between",
            arm="plane, k = 15",
            against="shuffled, k = 15",
            metric="angle:0",
            as_share=True,
            low=90.0,
            high=110.0,
            unit="%",
            note="True positions gain over shuffled ones (c3). If this holds, not by rotation.",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="fewer-flips",
            words="In the last epoch fewer first-layer weights change their sign with a scalar "
            "than without a prior.",
            rule="beats",
            arm="none",
            against="scalar",
            metric="sign_flips:0",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="scalar-beats-weight-norm",
            words="A falling scalar beats weight normalisation.",
            rule="beats",
            arm="scalar",
            against="weight normalisation",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="weight-norm-beats-none",
            words="Weight normalisation beats the baseline.",
            rule="beats",
            arm="weight normalisation",
            against="none",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="weight-compander-beats-none",
            words="A weight compander, a smooth limit on weights, beats the baseline.",
            rule="beats",
            arm="weight compander",
            against="none",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="learned-equals-fixed",
            words="A scalar that is learned does as well as the fixed one that it starts at.",
            rule="equals",
            arm="learned scalar",
            against="fixed scalar",
            better="higher",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="falling-beats-learned",
            words="A scalar that falls beats one that is learned.",
            rule="beats",
            arm="scalar",
            against="learned scalar",
        ),
        Claim(
            chapter="c7b",
            since=2,
            key="multiplicative-update",
            words="Multiplicative updates (Madam) beat the baseline.",
            rule="beats",
            arm="Madam",
            against="none",
            note="At its paper's learning rate, which was not tuned here.",
        ),
    ),
)
