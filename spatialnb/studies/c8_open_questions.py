"""c8: the log's open questions, as far as twelve epochs of one task can answer them."""

from __future__ import annotations

from dataclasses import replace

from spatialnb.config.run import Decay, Run
from spatialnb.priors.kernels import (
    Averaged,
    Exponential,
    Kernel,
    Linear,
    Scaled,
    Shuffled,
    Thresholded,
    Uniform,
)
from spatialnb.priors.schedules import Anneal, Sharpen, Static
from spatialnb.study.claims import Claim
from spatialnb.study.study import Quick, Study

EXPONENTIAL, LINEAR = Exponential(), Linear()
TIMES = 20
"""Number of random permutations of hidden units under which a trained network is evaluated."""


def _bounded(action: str, kernel: Kernel) -> Run:
    """A cap scaled to the initial weights, as in c6c, so that it binds."""
    return Run(action=action, schedule=Static(kernel=Scaled(kernel=kernel)))


def _annealed(start: Kernel, end: Kernel) -> Run:
    return Run(schedule=Anneal(start=start, end=end))


def _with_zeros(k_end: float) -> Run:
    kernel = Thresholded(kernel=EXPONENTIAL)
    return Run(schedule=Sharpen(k_start=3, k_end=k_end, kernel=kernel))


def _sharpened(k_end: float) -> Run:
    return Run(schedule=Sharpen(k_start=3, k_end=k_end))


CAPS = {
    "cap": _bounded("cap", EXPONENTIAL),
    "soft cap": _bounded("soft_cap", EXPONENTIAL),
    "soft cap, shuffled": _bounded("soft_cap", Shuffled(kernel=EXPONENTIAL)),
    "soft cap, scalar": _bounded("soft_cap", Averaged(kernel=EXPONENTIAL)),
    "cap, scaled gradient": _bounded("cap_scaled_gradient", EXPONENTIAL),
}
"""v8: hard and soft caps, and a cap with the gradient of multiplication."""

ANNEALED = {
    "none → exponential": _annealed(Uniform(), EXPONENTIAL),
    "exponential → none": _annealed(EXPONENTIAL, Uniform()),
    "none → linear": _annealed(Uniform(), LINEAR),
    "linear → none": _annealed(LINEAR, Uniform()),
}
SCALARS = {
    "scalar, none → exponential": _annealed(Uniform(), Averaged(kernel=EXPONENTIAL)),
    "scalar, exponential → none": _annealed(Averaged(kernel=EXPONENTIAL), Uniform()),
    "scalar, none → linear": _annealed(Uniform(), Averaged(kernel=LINEAR)),
    "scalar, linear → none": _annealed(Averaged(kernel=LINEAR), Uniform()),
}
"""v4 and v5: annealed kernels, and per-layer scalars that follow the kernels' means."""

ZEROS = {
    "k 3 → 50": _sharpened(50),
    "k 3 → 100": _sharpened(100),
    "k 3 → 50, real zeros": _with_zeros(50),
    "k 3 → 100, real zeros": _with_zeros(100),
    "k 3 → 200, real zeros": _with_zeros(200),
    "k 3 → 400, real zeros": _with_zeros(400),
}
"""v11: kernel values below 0.1, which the log counts as sparsity, are replaced by zeros from the
epoch in which they fall below it."""

TARGETS = {
    "to zero": Run(decay=Decay(target=Uniform(value=0.0))),
    "to exponential": Run(decay=Decay(target=EXPONENTIAL)),
    "to exponential, sign kept": Run(decay=Decay(target=EXPONENTIAL, keep_sign=True)),
    "to shuffled, sign kept": Run(decay=Decay(target=Shuffled(kernel=EXPONENTIAL), keep_sign=True)),
}
"""v9: "networks need both positive and negative weights"."""

PERMUTED = {
    f"{name}, permuted": replace(run, permuted_units=TIMES)
    for name, run in {
        "none": Run(),
        "exponential": Run(schedule=Static(kernel=EXPONENTIAL)),
        "k 3 → 50": _sharpened(50),
    }.items()
}
"""v1: "shuffling neurons now hurts performance"."""

STUDY = Study(
    id="c8",
    title="Runs on the log's open questions",
    section="",
    question="The log leaves questions open about caps, annealed kernels, real zeros, decay "
    "targets and permuted units. What are the answers?",
    changes="Changes relative to v5, v8, v9 and v11: each of their open questions as arms.",
    arms={
        "none": Run(),
        "exponential": Run(schedule=Static(kernel=EXPONENTIAL)),
        **CAPS,
        **ANNEALED,
        **SCALARS,
        **ZEROS,
        **TARGETS,
        **PERMUTED,
    },
    baseline="none",
    metrics=("accuracy", "permuted_accuracy", "train_loss", "test_loss"),
    datasets=("cifar10", "mnist"),
    any_engine=True,
    quick=Quick(dataset="quick-colours", epochs=3, seeds=(0, 1)),
    claims=(
        Claim(
            chapter="c8",
            since=2,
            key="soft-beats-hard",
            words="A soft cap beats a hard one.",
            rule="beats",
            arm="soft cap",
            against="cap",
            note="The log asks whether soft boundaries would change its result.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="multiply-beats-soft-cap",
            words="Multiplying by the exponential kernel beats a soft cap by it.",
            rule="beats",
            arm="exponential",
            against="soft cap",
            note="If not, the multiplicative form is not essential.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="soft-cap-structure",
            words="A soft cap by the exponential kernel beats a shuffled one and its mean.",
            rule="beats",
            arm="soft cap",
            against=("soft cap, shuffled", "soft cap, scalar"),
            each=True,
            note="If not, a soft cap needs no structure either.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="gradient-is-not-it",
            words="Scaling the gradient inside a cap by the kernel makes no difference.",
            rule="equals",
            arm="cap, scaled gradient",
            against="cap",
            better="higher",
            note="Adam divides a constant factor out of every gradient (c1), so none is expected.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="exponential-to-is-its-scalar",
            words="Adding the exponential kernel during training does as well as adding its mean.",
            rule="equals",
            arm="none → exponential",
            against="scalar, none → exponential",
            better="higher",
            note="If so, it is no curriculum of structure.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="exponential-from-is-its-scalar",
            words="Removing the exponential kernel does as well as removing its mean.",
            rule="equals",
            arm="exponential → none",
            against="scalar, exponential → none",
            better="higher",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="linear-to-is-its-scalar",
            words="Adding the linear kernel during training does as well as adding its mean.",
            rule="equals",
            arm="none → linear",
            against="scalar, none → linear",
            better="higher",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="linear-from-is-its-scalar",
            words="Removing the linear kernel does as well as removing its mean.",
            rule="equals",
            arm="linear → none",
            against="scalar, linear → none",
            better="higher",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="a-falling-scalar-beats-a-rising-one",
            words="A scalar that falls as the exponential kernel's mean beats one that rises so.",
            rule="beats",
            arm="scalar, none → exponential",
            against="scalar, exponential → none",
            note='The log: "none_to_X helps, X_to_none hurts".',
        ),
        Claim(
            chapter="c8",
            since=2,
            key="zeros-cost-nothing-100",
            words="At 3 → 100, zeros in place of values below 0.1 cost less than half a point.",
            rule="at_least",
            arm="k 3 → 100, real zeros",
            against="k 3 → 100",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="zeros-200-keep-up",
            words="At 3 → 200 with zeros, accuracy is less than half a point below 3 → 50 without.",
            rule="at_least",
            arm="k 3 → 200, real zeros",
            against="k 3 → 50",
            note='The log: "target: 95%+ sparsity".',
        ),
        Claim(
            chapter="c8",
            since=2,
            key="zeros-400-keep-up",
            words="At 3 → 400 with zeros, accuracy is less than half a point below 3 → 50 without.",
            rule="at_least",
            arm="k 3 → 400, real zeros",
            against="k 3 → 50",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="signs-were-the-trouble",
            words="A decay toward the kernel that keeps the sign beats one that does not.",
            rule="beats",
            arm="to exponential, sign kept",
            against="to exponential",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="a-size-is-no-target-either",
            words="A decay toward the kernel that keeps the sign does worse than one to zero.",
            rule="beats",
            arm="to zero",
            against="to exponential, sign kept",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="permuting-is-free-without",
            words="Without a prior, permuting hidden units leaves accuracy as it is.",
            rule="equals",
            arm="none, permuted",
            against="none, permuted",
            metric="permuted_accuracy",
            against_metric="accuracy",
            margin=0.05,
            note="It must: the network computes the same function but for rounding.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="permuting-hurts-exponential",
            words="With the exponential kernel, permuting hidden units costs accuracy.",
            rule="beats",
            arm="exponential, permuted",
            against="exponential, permuted",
            metric="accuracy",
            against_metric="permuted_accuracy",
            note="The log's first expectation, which it did not test.",
        ),
        Claim(
            chapter="c8",
            since=2,
            key="permuting-hurts-sharpening",
            words="With sharpening, permuting hidden units costs accuracy.",
            rule="beats",
            arm="k 3 → 50, permuted",
            against="k 3 → 50, permuted",
            metric="accuracy",
            against_metric="permuted_accuracy",
        ),
    ),
)
