"""The protocol box of a chapter: what it says is what the code does, and it says all of it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import re
from pathlib import Path

import pytest
import synthetic
import torch
from bs4 import BeautifulSoup
from torch import nn

from spatialnb import report, studies
from spatialnb.config.run import Decay, Run, SecondTask
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors import kernels, schedules
from spatialnb.priors.kernels import (
    Averaged,
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Scaled,
    Shuffled,
    Thresholded,
    Uniform,
)
from spatialnb.priors.schedules import Anneal, Eased, Schedule, Sharpen
from spatialnb.report import kernel_formulas, protocol_box
from spatialnb.study.results import Results
from spatialnb.training import backprop, equivalence, networks, optimizers
from spatialnb.training.determinism import generator

BOOK = Path(__file__).parents[1] / "book"
HOW_READ = (BOOK / "how_read.md").read_text("utf-8")
SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def box(results: Results) -> dict[str, str]:
    """The rows of a box, as text."""
    page = BeautifulSoup(report.protocol(results).html, "html.parser")
    names, texts = page.select("dt"), page.select("dd")
    return {
        name.get_text(): " ".join(text.get_text(" ").split())
        for name, text in zip(names, texts, strict=True)
    }


def box_of(**arms: Run) -> dict[str, str]:
    study = synthetic.study(
        arms=arms,
        baseline=next(iter(arms)),
        metrics=("accuracy",),
        pairs=False,
        claims=(),
        reported=(),
        labels={},
    )
    return box(synthetic.results(study, seeds=[0, 1]))


# ── Formulas ────────────────────────────────────────────────────────────────────────────────────

FORMULAS: list[tuple[Kernel, str]] = [
    (Uniform(), "1"),
    (Linear(floor=0.0), "1 − d"),
    (Linear(), "0.1 + 0.9 (1 − d)"),
    (Exponential(k=15), "0.05 + 0.95 e^(−15 d)"),
    (Exponential(k=3, floor=0.0), "e^(−3 d)"),
    (Gaussian(), "0.05 + 0.95 e^(−d²/0.18)"),
    (Inverse(), "0.1 + 0.9 d"),
    (Averaged(kernel=Inverse(), power=2), "the root mean square over a layer of 0.1 + 0.9 d"),
    (Scaled(), "3 / √(fan in)"),
    (Thresholded(kernel=Inverse(), least=0.2), "0.1 + 0.9 d where that is at least 0.2, else 0"),
]


def plain(formula: str) -> str:
    return re.sub(r"<sup>(.*?)</sup>", r"^(\1)", formula).replace("&#8239;", " ")


@pytest.mark.parametrize(("kernel", "formula"), FORMULAS, ids=lambda one: str(one))
def test_a_kernel_has_its_formula(kernel: Kernel, formula: str) -> None:
    assert plain(kernel_formulas.kernel_formula(kernel)) == formula


@pytest.mark.parametrize(("kernel", "formula"), FORMULAS[:7], ids=lambda one: str(one))
def test_a_formula_gives_the_kernels_values(kernel: Kernel, formula: str) -> None:
    for d in (0.0, 0.3, 1.0):
        text = formula.replace("−", "-").replace("d²", "d**2").replace("^", "**")
        text = re.sub(r"(\d) (?=[(de])", r"\1 * ", text)
        value = eval(text, {"d": d, "e": math.e})
        strength = kernel.strength(torch.tensor([[d]], dtype=torch.float64))
        assert float(strength) == pytest.approx(value)


def test_every_kernel_and_schedule_of_the_package_has_words_of_its_own() -> None:
    every = {
        module: {
            part
            for _, part in inspect.getmembers(module, inspect.isclass)
            if part.__module__ == module.__name__ and issubclass(part, base) and part is not base
        }
        for module, base in ((kernels, Kernel), (schedules, Schedule))
    }
    # One between two others is named by its schedule.
    assert every[kernels] - set(kernel_formulas.kernel_formula.registry) == {kernels.Blend}
    assert every[schedules] <= set(kernel_formulas.schedule_formula.registry)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (
            Sharpen(k_start=3, k_end=50),
            "0.05 + 0.95 e^(−k d), where k = (1 − p) · 3 + p · 50",
        ),
        (Anneal(start=Uniform(), end=Inverse()), "(1 − p) · [1] + p · [0.1 + 0.9 d]"),
        (
            Eased(schedule=Anneal(start=Uniform(), end=Inverse()), ease="late"),
            "(1 − q) · [1] + q · [0.1 + 0.9 d], where q = max(0, 3p − 2)",
        ),
    ],
    ids=lambda one: str(one)[:20],
)
def test_a_schedule_has_its_formula(schedule: Schedule, said: str) -> None:
    assert plain(kernel_formulas.schedule_formula(schedule)) == said


def test_a_shuffle_says_what_it_permutes_and_a_name_of_your_own_is_shown_as_text() -> None:
    said = kernel_formulas.kernel_formula(Shuffled(kernel=Inverse(), seed=2000))
    assert "over all connections of a layer (seed 2000; one permutation" in said

    class Own(Kernel):
        def label(self) -> str:
            return synthetic.HOSTILE

    assert "<img" not in kernel_formulas.kernel_formula(Own())


# ── What the constants are ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adams_constants_are_those_that_are_used(name: str) -> None:
    run = Run(optimizer=name, weight_decay=0.1 if name == "adamw" else None)
    used = optimizers.make(run, nn.Linear(1, 1)).defaults
    said = protocol_box.OPTIMIZERS[name].format(decay=0.1)
    assert f"β = {used['betas']}" in said
    assert used["eps"] == float(f"1e{said[said.index('10⁻') + 2 :][:2].translate(SUPERSCRIPT)}")
    assert not used["amsgrad"]
    assert ("weight decay 0.1" in said) == (used["weight_decay"] == 0.1)
    assert "$\\beta = (0.9, 0.999)$, $\\varepsilon = 10^{-8}$" in HOW_READ


def test_sgds_constants_are_those_that_are_used() -> None:
    used = optimizers.make(Run(optimizer="sgd"), nn.Linear(1, 1)).defaults
    assert (used["nesterov"], used["dampening"], used["weight_decay"]) == (False, 0, 0)
    momentum = f"omentum {used['momentum']:g}"
    assert f"{momentum} (no Nesterov momentum, no dampening)" in protocol_box.OPTIMIZERS["sgd"]
    assert f"{momentum}, no Nesterov momentum, no dampening" in HOW_READ


def test_madams_constants_are_those_that_are_used() -> None:
    said, used = protocol_box.OPTIMIZERS["madam"], optimizers.Madam
    assert f"β = {used.BETA:g}," in said
    assert f"±{used.BOUND:g};" in said
    assert f"clipped at {used.LARGEST:g} times" in said


def test_every_optimiser_action_and_network_of_the_package_has_its_words() -> None:
    from spatialnb.config import components
    from spatialnb.priors.actions import actions

    assert set(protocol_box.OPTIMIZERS) == set(components.optimizers)
    assert set(protocol_box.NETWORKS) == set(components.networks)
    assert set(protocol_box.INITIAL) == set(components.initialisations)
    assert set(protocol_box.ACTIONS) == set(actions)


@pytest.mark.parametrize(
    ("purpose", "stream"),
    [
        ("initialisation", "the initial weights"),
        ("order", "the order of images"),
        ("second order", "the order of the second task"),
        ("mask", "masks and random weights"),
        ("intervention", "augmentation, dropout and other interventions"),
        ("permuted units", "permuted units"),
        ("mask nulls", "masks to compare with"),
    ],
)
def test_a_stream_is_seeded_as_it_is_said(purpose: str, stream: str) -> None:
    said = protocol_box.STREAMS[stream].translate(SUPERSCRIPT)
    for seed in (0, 7):
        text = re.sub(r"^2(\d\d)", r"2**\1", said).replace("2s", f"2 * {seed}")
        assert eval(text.replace("s", str(seed))) == generator(seed, purpose).initial_seed()


def test_the_transformer_is_the_one_that_is_said() -> None:
    run = Run(network="transformer", hidden=(256, 256))
    model = networks.initialise(run, (3, 32, 32), 10)
    said = protocol_box.NETWORKS["transformer"]
    assert f"{networks.SIDE**2} patches" in said
    assert f"in {networks.WIDTH} dimensions" in said
    assert f"{networks.HEADS} heads" in said
    norms = [part for part in model.modules() if isinstance(part, nn.LayerNorm)]
    assert {(norm.eps, norm.elementwise_affine) for norm in norms} == {(1e-5, True)}
    linear = dict(networks.linear_layers(model))
    assert all(layer.bias is not None and not layer.bias.any() for layer in linear.values())
    for name, layer in linear.items():
        spread = float(layer.weight.detach().std() * math.sqrt(layer.in_features))
        assert spread == pytest.approx(math.sqrt(2.0) if ".mlp." in name else 1.0, rel=0.1), name
    assert float(model.positions.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert "normalised, and their mean is classified" in (networks.Transformer.__doc__ or "")


def test_the_pooled_convolutional_network_is_the_one_that_is_said() -> None:
    run = Run(network="convolutional_pooled", hidden=(16, 32, 64))
    rows = box_of(a=run)
    assert rows["Network"].startswith("3 × 3 convolutions with 16, 32, 64 filters")
    assert "a linear head, 64-10" in rows["Network"]
    layers = networks.initialise(run, (3, 32, 32), 10).modules()
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            spread = float(layer.weight.detach().std() * math.sqrt(layer.weight[0].numel()))
            wanted = math.sqrt(2.0) if isinstance(layer, nn.Conv2d) else 1.0
            assert spread == pytest.approx(wanted, rel=0.1)
            assert layer.bias is not None
            assert not layer.bias.any()
    assert (
        "of convolutions from N(0, 2 / fan in), of the head from N(0, 1" in rows["Initial weights"]
    )


def test_a_sparse_run_says_how_its_weights_start_and_that_its_rate_falls_in_each_round() -> None:
    sparse = Run(sparse=Sparse(method="static", zeros=0.9))
    dense = Run(sparse=Sparse(method="static", zeros=0.9, fan_in="dense"))
    rows = box_of(a=sparse, b=dense)
    assert (
        "a : weights from N(0, 2 / fan in), where the fan-in is what the zeros leave"
        in (rows["Initial weights"])
    )
    assert rows["Initial weights"].endswith("b : weights from N(0, 2 / fan in), biases 0")
    rounds = Run(sparse=Sparse(method="imp", zeros=0.9, rounds=3), learning_rate_decay="linear")
    assert "(linear), restarted in each of 3 rounds, for" in box_of(a=rounds)["Learning rate"]


def test_zeros_are_said_in_words() -> None:
    near = Sparse(zeros=0.942, places="nearest", layers="first")
    pruned = Prune(by=("random", "magnitude"), zeros=(0.814, 0.98))
    rows = box_of(a=Run(), b=Run(sparse=near), c=Run(sparse=Sparse(zeros=0.5, method="set")))
    assert rows["Zeros"] == (
        "a : no zeros b : 94.2 % zeros in the first layer, which keeps each unit's nearest inputs "
        "c : 50 % zeros in every layer, by SET, at first with a random choice of connections"
    )
    assert box_of(a=Run(prune=pruned))["Zeros"] == (
        "copies of the trained network with 81.4, 98 % zeros; weights kept by: magnitude, chance"
    )
    rounds = Sparse(method="imp", zeros=0.9, rounds=3, rewind=1)
    assert box_of(a=Run(sparse=rounds))["Zeros"].endswith(
        "pruning, in 3 rounds, rewound to epoch 1"
    )
    assert "Zeros" not in box_of(a=Run())


def test_the_loss_is_that_of_the_batch() -> None:
    model = networks.mlp(4, (3,), 2, torch.Generator().manual_seed(0))
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 1, 0, 1, 0])
    loss = backprop.loss_and_gradients(model)(x, y)
    assert float(loss) == pytest.approx(float(nn.functional.cross_entropy(model(x), y).detach()))


def test_how_read_says_of_c1_what_its_demonstration_does() -> None:
    row = next(line for line in HOW_READ.splitlines() if line.startswith("| c1 |"))
    widths = " and ".join(map(str, equivalence.HIDDEN))
    assert f"hidden layers of {widths}, the data set `{equivalence.DATASET}`" in row
    defaults = inspect.signature(equivalence.compare).parameters
    assert (
        f"four epochs of {defaults['steps'].default} steps with {equivalence.BATCH} images" in row
    )
    assert defaults["epochs"].default == 4
    for name, said in {
        "Adam": "Adam has a learning rate of {:g}",
        "SGD": "SGD {:g},",
        "SGD with momentum": "momentum 0.9 has {:g}.",
    }.items():
        rate = equivalence.OPTIMIZERS[name](nn.Linear(1, 1)).defaults["lr"]
        assert said.format(rate) in row


# ── The box ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_the_same_in_all_arms_stands_once_and_what_differs_by_arm() -> None:
    run = Run(dataset="mnist", epochs=5)
    rows = box_of(a=run, b=dataclasses.replace(run, learning_rate=0.01, batch_size=64))
    assert rows["Network"] == "784-256-128-10, ReLU between layers"
    assert rows["Learning rate"] == "a : 0.003, constant b : 0.01, constant"
    assert (
        "a : of 128, in a new random order every epoch; the last batch of an epoch has 96"
        in rows["Batches"]
    )
    assert rows["Epochs"].startswith("5, counted from 0 to 4 as in the log")
    assert "How it acts" not in rows  # without a prior nothing acts


def test_a_setting_without_words_stands_by_its_name() -> None:
    run = Run(dataset="mnist", epochs=5)
    rows = box_of(a=run, b=dataclasses.replace(run, dead_neurons=True, rotation=True))
    assert rows["Other settings"] == "a : nothing else b : dead_neurons: yes; rotation: yes"
    said = {*protocol_box.SAID, "dead_neurons", "rotation", "learned_rotation", "permuted_units"}
    said |= {"mask_locality", "reparametrisation", "sparse", "prune", "asymmetric", "interventions"}
    assert said == {field.name for field in dataclasses.fields(Run)}


def test_a_folded_prior_is_said() -> None:
    schedule = Sharpen(k_start=3, k_end=50)
    rows = box_of(a=Run(schedule=schedule, folded=("start", "update")))
    assert rows["Kernel"].startswith("no prior attached; the optimiser applies start + update of K")
    assert "How it acts" not in rows


def test_two_tasks_a_decay_and_held_out_images_are_said() -> None:
    run = Run(dataset="mnist", epochs=5, validation_size=5_000)
    decay = Decay(target=Exponential())
    rows = box_of(a=run, b=dataclasses.replace(run, validation_size=None, decay=decay))
    assert "a : mnist: 55,000 training images, the last 5,000 held out" in rows["Data"]
    assert (
        "plus 0.0001 Σ (W − T)² over all weights but not biases; T = 0.05 + 0.95 e" in rows["Loss"]
    )
    two = Run(dataset="mnist", epochs=5, hidden=(256, 128, 128), second=SecondTask())
    rows = box_of(a=two)
    assert rows["Inputs"].startswith("standardised by channel")
    assert "of the 5,000 most frequent words of the training split" in rows["Inputs"]
    assert "each task, 784-256 and 5000-256; hidden layers 256-128-128, shared" in rows["Network"]
    assert "2⁴⁰ + s for the order of the second task" in rows["Random numbers"]


@pytest.mark.parametrize("chapter", ["v05", "v07", "c4", "c6d"])
def test_a_seed_can_be_trained_again_as_the_box_says(chapter: str) -> None:
    results = studies.get(chapter).run(progress=False, train=False)
    code = BeautifulSoup(report.protocol(results).html, "html.parser").select_one("pre")
    assert code is not None
    lines = code.get_text().splitlines()
    assert lines.pop() == "train_one(run).record.outcome"
    names: dict[str, Run] = {}
    exec("\n".join(lines), names)
    run = names["run"]
    record = results.records[results.study.baseline][results.seeds[-1]]
    assert (run.id, run.seed) == (record.id, results.seeds[-1])


def test_the_family_is_every_comparison_that_is_corrected() -> None:
    results = studies.get("v10").run(progress=False, train=False)
    corrected = [one for one in results.findings() if one.p_corrected is not None]
    said = box(results)["Corrected together"]
    assert [one.claim.key for one in corrected] == said.split(": ")[1].split(", ")
    assert f"the {sum(len(one.claim.comparisons) for one in corrected)} comparisons" in said


def test_the_box_is_folded_into_the_summary_and_says_nothing_of_a_rerun_as_published() -> None:
    results = synthetic.results()
    assert '<dl class="protocol">' in report.glance(results).html
    assert "To repeat a run" in box(results)
    assert "To repeat a run" not in box(synthetic.results(dataset="quick-digits"))


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_page_on_runs_has_their_protocol(page: Path) -> None:
    text = page.read_text("utf-8")
    if "STUDY.run(" in text:
        assert "report.glance(results)" in text or "report.protocol(results)" in text


def test_names_of_arms_are_text() -> None:
    rows = report.protocol(synthetic.results()).html
    assert "<img" not in rows
    assert json.dumps(rows)
