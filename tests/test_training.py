"""One run: the loop, against a loop written out by hand."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from spatialnb.config.run import Decay, Run
from spatialnb.datasets import Dataset, Split
from spatialnb.priors import parametrization
from spatialnb.priors.folded_optimizer import PARTS
from spatialnb.priors.geometry import layer_distance, plane
from spatialnb.priors.kernels import Averaged, Exponential, Linear, Scaled, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal, Reshuffled, Schedule, Sharpen, Static
from spatialnb.training import evaluation, initialisation, loop, networks, optimizers
from spatialnb.training.build import build
from spatialnb.training.determinism import generator
from spatialnb.training.evaluation import batches, evaluate
from spatialnb.training.loop import Trained, train

NAME = "quick-made"
FEATURES, CLASSES, TRAIN, TEST = 12, 3, 90, 40
BASE = Run(dataset=NAME, hidden=(8, 7), batch_size=16, epochs=3)
STRONG = Static(kernel=Exponential(k=6.0))


def split(count: int, seed: int) -> Split:
    """Grey levels whose brightest third of pixels is the class: learnable, with noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(CLASSES, (count,), generator=generator)
    x = torch.randint(150, (count, FEATURES), generator=generator)
    for label in range(CLASSES):
        x[y == label, label::CLASSES] += 60
    return Split(x=x.to(torch.uint8), y=y)


def dataset() -> Dataset:
    fit = split(TRAIN, 1)
    return Dataset(
        name=NAME,
        title="Quick: made for this test",
        quick=True,
        train=fit,
        test=split(TEST, 2),
        shape=(1, 3, 4),
        classes=CLASSES,
        mean=torch.full((FEATURES,), fit.x.float().mean().item()),
        std=torch.full((FEATURES,), fit.x.float().std().item()),
        sha256="0" * 64,
    )


DATA = dataset()


def bits(trained: Trained) -> tuple[str, list[bytes]]:
    """Everything a run leaves, to the last bit."""
    state = [tensor.numpy().tobytes() for tensor in trained.model.state_dict().values()]
    return json.dumps(trained.outcome), state


def learned(trained: Trained) -> list[Tensor]:
    return [
        parametrization.learned_weight(layer) for _, layer in networks.linear_layers(trained.model)
    ]


# ── The loop ────────────────────────────────────────────────────────────────────────────────────


def by_hand(run: Run) -> tuple[dict[str, list[float]], list[Tensor]]:
    """The same training without a prior, a module or a room of the package in it but `models.mlp`
    for the initialisation: W ∘ K written out, Adam's own formula, batches from one permutation."""
    model = networks.mlp(FEATURES, run.hidden, CLASSES, torch.Generator().manual_seed(2 * run.seed))
    layers = [part for part in model if isinstance(part, nn.Linear)]
    weights = [layer.weight.detach().requires_grad_() for layer in layers]
    biases = [layer.bias.detach().requires_grad_() for layer in layers]
    parameters = [*weights, *biases]
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    order = torch.Generator().manual_seed(2 * run.seed + 1)
    images = run.train_size or TRAIN
    inputs = {
        name: (part.x.float() - DATA.mean) / DATA.std
        for name, part in (("train", DATA.train), ("test", DATA.test))
    }
    found: dict[str, list[float]] = {"train_loss": [], "test_loss": [], "test_accuracy": []}
    steps = 0
    for epoch in range(run.epochs):
        kernel = run.schedule.at(epoch / (run.epochs - 1))
        strengths = [kernel.strength(layer_distance(*w.shape)).float() for w in weights]

        def forward(x: Tensor, strengths: list[Tensor] = strengths) -> Tensor:
            for place, (w, b, k) in enumerate(zip(weights, biases, strengths, strict=True)):
                x = linear(x, w * k, b)
                x = x.relu() if place < len(weights) - 1 else x
            return x

        losses = 0.0
        for index in torch.randperm(images, generator=order).split(run.batch_size):
            loss = cross_entropy(forward(inputs["train"][index]), DATA.train.y[index])
            slopes = torch.autograd.grad(loss, parameters)
            losses += loss.item() * len(index)
            steps += 1
            with torch.no_grad():
                for p, g, m, v in zip(parameters, slopes, first, second, strict=True):
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.999).add_(0.001 * g * g)
                    root = (v / (1 - 0.999**steps)).sqrt() + 1e-8
                    p.sub_(run.learning_rate * (m / (1 - 0.9**steps)) / root)
        with torch.no_grad():
            logits = forward(inputs["test"])
        found["train_loss"].append(losses / images)
        found["test_loss"].append(cross_entropy(logits, DATA.test.y).item())
        found["test_accuracy"].append((logits.argmax(1) == DATA.test.y).float().mean().item())
    return found, weights


@pytest.mark.parametrize(
    "schedule",
    [
        Static(),
        STRONG,
        Anneal(start=Uniform(), end=Linear(floor=0.0)),
        Sharpen(k_start=3.0, k_end=15.0),
        Static(kernel=Shuffled(kernel=Exponential(k=6.0))),
    ],
    ids=["none", "static", "anneal", "sharpen", "shuffled"],
)
@pytest.mark.parametrize("train_size", [None, 50])
def test_training_is_the_loop_written_out_by_hand(
    schedule: Schedule, train_size: int | None
) -> None:
    run = replace(BASE, schedule=schedule, train_size=train_size, seed=5)
    trained = train(run, DATA)
    expected, weights = by_hand(run)
    # Single precision, the operations of Adam in another order, up to 18 steps.
    for name, values in expected.items():
        assert trained.outcome["epochs"][name] == pytest.approx(values, abs=2e-5), name
    for ours, theirs in zip(learned(trained), weights, strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=0.0, atol=2e-5)


def test_an_outcome_holds_one_number_an_epoch_and_the_sparsity_at_the_end() -> None:
    outcome = train(BASE, DATA).outcome
    assert outcome["status"] == "finished"
    assert outcome["epochs"].keys() == {"train_loss", "test_loss", "test_accuracy"}
    assert {len(values) for values in outcome["epochs"].values()} == {3}
    assert outcome["final"] == {"sparsity": {"0": 0.0, "2": 0.0, "4": 0.0, "overall": 0.0}}
    assert json.loads(json.dumps(outcome, allow_nan=False)) == outcome


def test_a_network_learns() -> None:
    outcome = train(replace(BASE, epochs=12, learning_rate=0.01), DATA).outcome["epochs"]
    # Three classes: chance is a third, with a standard error of 0.075 on 40 samples.
    assert outcome["test_accuracy"][-1] > 1 / 3 + 5 * 0.075
    assert outcome["train_loss"][-1] < outcome["train_loss"][0]


# ── Determinism, and what is left as it was ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "run",
    [
        BASE,
        replace(BASE, schedule=STRONG, decay=Decay(target=Exponential())),
        replace(BASE, schedule=Sharpen(k_start=3, k_end=9), action="normalise"),
        replace(BASE, schedule=STRONG, action="cap"),
    ],
    ids=["none", "decay", "normalise", "cap"],
)
def test_the_same_run_gives_the_same_bits_whatever_the_global_generator_says(run: Run) -> None:
    torch.manual_seed(1)
    first = bits(train(run, DATA))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert bits(train(run, DATA)) == first
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("fails", [False, True], ids=["finishes", "fails"])
def test_settings_of_torch_are_left_as_they_were(fails: bool) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(True, warn_only=True)
        seen = []

        def look(_: int) -> None:
            seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
            if fails:
                raise RuntimeError("stopped in the middle")

        if fails:
            with pytest.raises(RuntimeError, match="stopped in the middle"):
                train(BASE, DATA, look)
        else:
            train(BASE, DATA, look)
        assert set(seen) == {(1, True)}
        assert torch.get_num_threads() == 3
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        memory: Any = torch.utils.deterministic
        assert memory.fill_uninitialized_memory
        torch.use_deterministic_algorithms(False)
        train(replace(BASE, epochs=1), DATA)
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


def test_the_number_of_threads_outside_does_not_change_a_bit() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = bits(train(BASE, DATA))
        torch.set_num_threads(4)
        assert bits(train(BASE, DATA)) == one
    finally:
        torch.set_num_threads(threads)


def test_another_seed_is_another_network_in_another_order() -> None:
    first, second = (train(replace(BASE, seed=seed), DATA) for seed in (0, 1))
    assert bits(first) != bits(second)
    streams = {
        tuple(torch.randperm(50, generator=generator(seed, purpose)).tolist())
        for seed in range(20)
        for purpose in ("initialisation", "order")
    }
    assert len(streams) == 40


def test_arms_of_one_seed_start_from_the_same_weights_and_biases() -> None:
    plain = build(BASE, DATA.shape, CLASSES)
    prior = build(replace(BASE, schedule=STRONG), DATA.shape, CLASSES)
    for (_, one), (_, two) in zip(
        networks.linear_layers(plain), networks.linear_layers(prior), strict=True
    ):
        assert torch.equal(one.weight, parametrization.learned_weight(two))
        assert torch.equal(one.bias, two.bias)


# ── The prior in the loop ───────────────────────────────────────────────────────────────────────


def test_none_is_bit_for_bit_the_plain_network_that_carries_no_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = train(BASE, DATA)
    assert not list(parametrization.spatial_priors(plain.model))

    def attached(run: Run, shape: tuple[int, ...], classes: int) -> nn.Module:
        drawn = networks.mlp(
            math.prod(shape), run.hidden, classes, generator(run.seed, "initialisation")
        )
        return parametrization.attach(drawn, Uniform())

    monkeypatch.setattr("spatialnb.training.build.build", attached)
    prior = train(BASE, DATA)
    assert len(list(parametrization.spatial_priors(prior.model))) == 3
    assert prior.outcome == plain.outcome
    baked = parametrization.remove(prior.model).state_dict()
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor.view(torch.int32), baked[name].view(torch.int32)), name


def test_an_anneal_that_stays_at_none_is_bit_for_bit_none() -> None:
    still = replace(BASE, schedule=Anneal(start=Uniform(), end=Uniform()))
    assert train(still, DATA).outcome == train(BASE, DATA).outcome


def test_the_kernel_moves_once_an_epoch_from_progress_nought_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = replace(BASE, epochs=5, schedule=Sharpen(k_start=3.0, k_end=11.0))
    seen: list[float] = []
    step = parametrization.step

    def watched(model: nn.Module, prior: Schedule, progress: float) -> None:
        step(model, prior, progress)
        seen.append(progress)

    monkeypatch.setattr(parametrization, "step", watched)
    trained = train(run, DATA)
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]
    for layer, part in parametrization.spatial_priors(trained.model):
        expected = Exponential(k=11.0).strength(layer_distance(*layer.weight.shape))
        assert torch.equal(part.strength, expected.float())


@pytest.mark.parametrize("permuted", [None, 4])
def test_a_run_on_the_plane_is_trained_and_measured_there(permuted: int | None) -> None:
    run = replace(BASE, schedule=STRONG, positions="plane", permuted_pixels=permuted)
    trained = train(run, DATA)
    between = plane(DATA.shape, 8, 7, CLASSES, permuted=permuted)
    strengths = [Exponential(k=6.0).strength(one) for one in between]
    for (_, part), strength in zip(
        parametrization.spatial_priors(trained.model), strengths, strict=True
    ):
        assert torch.equal(part.strength, strength.float())
    small = sum(int((strength < 0.1).sum()) for strength in strengths)
    overall = small / sum(strength.numel() for strength in strengths)
    assert trained.outcome["final"]["sparsity"]["overall"] == pytest.approx(overall, abs=1e-12)
    assert bits(trained) != bits(train(replace(BASE, schedule=STRONG), DATA))


def test_a_kernel_of_one_number_trains_alike_wherever_the_pixels_stand() -> None:
    one = replace(BASE, schedule=Static(kernel=Uniform(value=0.5)))
    runs = [one, *(replace(one, positions="plane", permuted_pixels=seed) for seed in (None, 4))]
    assert len({run.id for run in runs}) == 3
    assert len({str(bits(train(run, DATA))) for run in runs}) == 1


def test_text_has_no_places_on_the_plane() -> None:
    run = replace(BASE, schedule=STRONG, positions="plane")
    with pytest.raises(ValueError, match=r"pixel positions need images.*got \(12,\)"):
        train(run, replace(DATA, shape=(FEATURES,)))


def test_one_epoch_is_trained_with_the_last_kernel() -> None:
    run = replace(BASE, epochs=1, schedule=Anneal(start=Uniform(), end=Linear()))
    static = replace(BASE, epochs=1, schedule=Static(kernel=Linear()))
    assert bits(train(run, DATA)) == bits(train(static, DATA))


def test_the_sparsity_of_a_sharpened_run_is_that_of_its_last_epoch() -> None:
    run = replace(BASE, schedule=Sharpen(k_start=3.0, k_end=50.0))
    found = train(run, DATA).outcome["final"]["sparsity"]
    shapes = {"0": (8, 12), "2": (7, 8), "4": (3, 7)}
    small = {
        name: int((Exponential(k=50.0).strength(layer_distance(*shape)) < 0.1).sum())
        for name, shape in shapes.items()
    }
    sizes = {name: out * into for name, (out, into) in shapes.items()}
    by_layer = {name: small[name] / sizes[name] for name in shapes}
    overall = sum(small.values()) / sum(sizes.values())
    assert found == pytest.approx({**by_layer, "overall": overall}, abs=1e-12)


def test_a_cap_records_the_share_of_weights_it_touches_in_every_epoch() -> None:
    run = replace(BASE, action="cap", schedule=Static(kernel=Linear(floor=0.0)))
    trained = train(run, DATA)
    shares = trained.outcome["epochs"]["cap_share"]
    assert len(shares) == 3
    beyond = total = 0
    for weight in learned(trained):
        strength = Linear(floor=0.0).strength(layer_distance(*weight.shape)).float()
        beyond += int((weight.abs() > strength).sum())
        total += weight.numel()
    assert 0.0 < shares[-1] == beyond / total


def test_a_cap_of_two_never_binds_and_trains_the_plain_network() -> None:
    capped = train(replace(BASE, action="cap", schedule=Static(kernel=Uniform(value=2.0))), DATA)
    epochs = dict(capped.outcome["epochs"])
    assert epochs.pop("cap_share") == [0.0, 0.0, 0.0]
    assert epochs == train(BASE, DATA).outcome["epochs"]


def test_a_decay_records_the_distance_to_its_target_and_shortens_it() -> None:
    target = Linear()
    gentle, strong = (
        train(replace(BASE, epochs=6, decay=Decay(target=target, weight=weight)), DATA)
        for weight in (0.0, 1.0)
    )
    distances = strong.outcome["epochs"]["target_distance"]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < gentle.outcome["epochs"]["target_distance"][-1]
    squares, total = 0.0, 0
    for weight in learned(strong):
        apart = weight.detach().double() - target.strength(layer_distance(*weight.shape))
        squares += apart.square().sum().item()
        total += weight.numel()
    # The run sums squares in single precision.
    assert distances[-1] == pytest.approx(math.sqrt(squares / total), rel=1e-5)


def test_a_decay_of_weight_nought_changes_no_number() -> None:
    decayed = train(replace(BASE, decay=Decay(target=Linear(), weight=0.0)), DATA)
    epochs = dict(decayed.outcome["epochs"])
    assert len(epochs.pop("target_distance")) == 3
    assert epochs == train(BASE, DATA).outcome["epochs"]


def test_the_training_loss_leaves_the_decay_penalty_out() -> None:
    still = replace(BASE, epochs=1, learning_rate=1e-12)
    decayed = replace(still, decay=Decay(target=Uniform(value=50.0), weight=100.0))
    losses = [train(run, DATA).outcome["epochs"]["train_loss"][0] for run in (still, decayed)]
    # The penalty would be millions; weights move by 1e-12 a step.
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


# ── A learning rate that falls, a prior that is folded into the optimiser ──────────────────────


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("size", [16, 90, 100])
def test_a_learning_rate_falls_by_the_step_from_the_whole_to_almost_nothing(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *given: object) -> object:
        seen.append(self.param_groups[0]["lr"])
        return step(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train(replace(BASE, learning_rate_decay=name, batch_size=size), DATA)
    steps = 3 * math.ceil(TRAIN / size)
    shape = {
        "linear": lambda done: 1 - done,
        "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    }[name]
    assert seen == pytest.approx([0.003 * shape(s / steps) for s in range(steps)], rel=1e-12)
    assert seen[0] == 0.003
    assert seen[-1] > 0.0


def test_without_a_decay_nothing_sets_the_rate() -> None:
    optimizer = optimizers.make(BASE, build(BASE, DATA.shape, CLASSES))
    assert optimizers.schedule(BASE, optimizer, steps=10) is None
    assert [group["lr"] for group in optimizer.param_groups] == [BASE.learning_rate]


@pytest.mark.parametrize("epochs", [1, 4])
@pytest.mark.parametrize(
    "schedule",
    [
        STRONG,
        Sharpen(k_start=3.0, k_end=50.0),
        Sharpen(k_start=3.0, k_end=50.0, kernel=Averaged(kernel=Exponential())),
        Reshuffled(schedule=Sharpen(k_start=3.0, k_end=9.0)),
    ],
    ids=["static", "sharpen", "one number", "reshuffled"],
)
def test_a_run_with_all_parts_folded_is_the_run_with_the_prior(
    schedule: Schedule, epochs: int
) -> None:
    run = replace(BASE, schedule=schedule, epochs=epochs)
    attached, folded = train(run, DATA), train(replace(run, folded=PARTS), DATA)
    assert not list(parametrization.spatial_priors(folded.model))
    # Single precision, up to 24 steps.
    for name, values in attached.outcome["epochs"].items():
        assert folded.outcome["epochs"][name] == pytest.approx(values, abs=2e-5), name
    for ours, theirs in zip(
        *(networks.effective_weights(part.model).values() for part in (folded, attached)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=2e-5)


def test_a_folded_run_starts_where_its_parts_say() -> None:
    run = replace(BASE, schedule=STRONG)
    plain, scaled, attached = (
        networks.effective_weights(build(one, DATA.shape, CLASSES))
        for one in (replace(run, folded=("update",)), replace(run, folded=("start",)), run)
    )
    first = networks.effective_weights(build(BASE, DATA.shape, CLASSES))
    assert all(torch.equal(plain[name], first[name]) for name in first)
    assert all(torch.equal(scaled[name], attached[name]) for name in first)


def test_the_update_of_one_number_is_a_learning_rate_times_that_number() -> None:
    run = replace(BASE, schedule=Static(kernel=Uniform(value=0.25)), folded=("update",))
    slow = replace(BASE, learning_rate=0.25 * BASE.learning_rate)
    # One step: the biases, which keep the whole rate, have not yet acted on the weights.
    ours, theirs = (
        networks.effective_weights(train(replace(one, epochs=1, batch_size=TRAIN), DATA).model)
        for one in (run, slow)
    )
    for name in ours:  # weights of about 1 in single precision
        torch.testing.assert_close(ours[name], theirs[name], rtol=0.0, atol=5e-7)


# ── Sizes ───────────────────────────────────────────────────────────────────────────────────────


def test_only_the_first_images_are_trained_on_and_all_test_images_are_tested() -> None:
    spoilt = replace(
        DATA,
        train=Split(
            x=torch.cat([DATA.train.x[:30], 255 - DATA.train.x[30:]]),
            y=torch.cat([DATA.train.y[:30], torch.zeros_like(DATA.train.y[30:])]),
        ),
    )
    run = replace(BASE, train_size=30)
    assert bits(train(run, spoilt)) == bits(train(run, DATA))
    assert bits(train(BASE, spoilt)) != bits(train(BASE, DATA))


def test_as_many_images_as_there_are_is_all_of_them() -> None:
    assert bits(train(replace(BASE, train_size=TRAIN), DATA)) == bits(train(BASE, DATA))


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"train_size: quick-made has only 90 training samples, not 91"
    ):
        train(replace(BASE, train_size=91), DATA)


HELD_OUT = replace(BASE, validation_size=20)


def test_held_out_images_are_measured_and_neither_trained_on_nor_the_test_images_seen() -> None:
    first, last = DATA.train.x[:70], DATA.train.x[70:]
    y = DATA.train.y
    only = replace(DATA, train=Split(x=first, y=y[:70]), test=Split(x=last, y=y[70:]))
    plain, held_out = train(BASE, only), train(HELD_OUT, DATA)
    assert held_out.outcome["epochs"].keys() == {
        "train_loss",
        "validation_loss",
        "validation_accuracy",
    }
    for quantity, ours in held_out.outcome["epochs"].items():
        assert ours == plain.outcome["epochs"][quantity.replace("validation", "test")]
    spoilt = replace(DATA, test=Split(x=255 - DATA.test.x, y=torch.zeros_like(DATA.test.y)))
    assert bits(train(HELD_OUT, spoilt)) == bits(held_out)


def test_held_out_images_leave_the_first_ones_to_train_on() -> None:
    both = replace(HELD_OUT, train_size=70)
    assert bits(train(both, DATA)) == bits(train(HELD_OUT, DATA))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"validation_size": 90},
            "validation_size: quick-made has only 90 training samples, not 91",
        ),
        (
            {"validation_size": 20, "train_size": 71},
            "train_size and validation_size: quick-made has only 90 training samples, not 91",
        ),
    ],
)
def test_more_held_out_than_there_is_is_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(replace(BASE, **sizes), DATA)


@pytest.mark.parametrize("size", [1, 7, 89, 90, 1000])
def test_a_last_smaller_batch_is_trained_and_counted(size: int) -> None:
    run = replace(BASE, epochs=1, batch_size=size, learning_rate=1e-12)
    index = torch.randperm(TRAIN)
    assert torch.equal(torch.cat(list(batches(index, size))), index)
    # Weights hardly move, so the mean over batches is the mean over all samples.
    model = build(run, DATA.shape, CLASSES)
    whole = cross_entropy(model(DATA.inputs(DATA.train, torch.arange(TRAIN))), DATA.train.y)
    found = train(run, DATA).outcome["epochs"]["train_loss"][0]
    assert found == pytest.approx(whole.item(), abs=1e-5)


def test_testing_in_pieces_gives_what_testing_at_once_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(BASE, DATA.shape, CLASSES)
    whole = evaluate(model, DATA, DATA.test)
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    pieces = evaluate(model, DATA, DATA.test)
    assert pieces[1] == whole[1]
    assert pieces[0] == pytest.approx(whole[0], rel=1e-6)  # single precision sums


def test_a_network_without_hidden_layers_trains() -> None:
    assert train(replace(BASE, hidden=()), DATA).outcome["status"] == "finished"


def test_data_of_another_edition_is_refused() -> None:
    with pytest.raises(ValueError, match="the run needs the data 'mnist', got 'quick-made'"):
        train(replace(BASE, dataset="mnist"), DATA)


# ── Progress and failure ────────────────────────────────────────────────────────────────────────


def test_every_epoch_is_reported_as_it_is_done() -> None:
    seen: list[int] = []
    train(BASE, DATA, seen.append)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("schedule", [Static(), STRONG], ids=["none", "exponential"])
def test_a_loss_that_is_not_finite_ends_the_run_as_failed_with_its_epoch(
    schedule: Schedule,
) -> None:
    run = replace(BASE, learning_rate=1e30, schedule=schedule)
    outcome = train(run, DATA).outcome
    assert outcome["status"] == "failed"
    assert outcome["failed_epoch"] == 0
    assert outcome["epochs"] == {"train_loss": [], "test_loss": [], "test_accuracy": []}
    assert json.dumps(outcome, allow_nan=False)


def test_a_run_that_fails_later_keeps_the_epochs_before(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate, calls = loop.evaluate, []

    def poisoned(model: nn.Module, data: Dataset, part: Split) -> tuple[float, float]:
        calls.append(1)
        return (math.inf, 0.0) if len(calls) == 3 else evaluate(model, data, part)

    monkeypatch.setattr(loop, "evaluate", poisoned)
    outcome = train(replace(BASE, epochs=5), DATA).outcome
    assert outcome["failed_epoch"] == 2
    assert {len(values) for values in outcome["epochs"].values()} == {2}
    assert len(calls) == 3


def test_two_threads_that_train_at_once_do_not_disturb_each_other() -> None:
    # torch's cache of effective weights and its settings are one for all threads.
    threads = torch.get_num_threads()
    grid = [replace(BASE, schedule=STRONG, epochs=6, seed=seed) for seed in range(6)]
    alone = [bits(train(run, DATA)) for run in grid]
    with ThreadPoolExecutor(3) as pool:
        together = [bits(trained) for trained in pool.map(lambda run: train(run, DATA), grid)]
    assert together == alone
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


# ── Other optimisers and networks ───────────────────────────────────────────────────────────────


def test_sgd_with_momentum_is_its_formula() -> None:
    run = replace(BASE, optimizer="sgd", learning_rate=0.02)
    model = networks.mlp(FEATURES, run.hidden, CLASSES, generator(run.seed, "initialisation"))
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    order = generator(run.seed, "order")
    x = (DATA.train.x.float() - DATA.mean) / DATA.std
    for _ in range(run.epochs):
        for index in torch.randperm(TRAIN, generator=order).split(run.batch_size):
            loss = cross_entropy(model(x[index]), DATA.train.y[index])
            slopes = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for p, g, v in zip(model.parameters(), slopes, velocity, strict=True):
                    v.mul_(0.9).add_(g)
                    p.sub_(run.learning_rate * v)
    for ours, theirs in zip(train(run, DATA).model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=2e-5)


def test_adamw_shrinks_learned_parameters_by_rate_and_decay() -> None:
    run = replace(BASE, optimizer="adamw", weight_decay=0.0, schedule=STRONG)
    assert bits(train(run, DATA)) == bits(train(replace(BASE, schedule=STRONG), DATA))
    decaying = build(run, DATA.shape, CLASSES)
    optimizer = optimizers.make(replace(run, weight_decay=0.5), decaying)
    before = [p.detach().clone() for p in decaying.parameters()]
    for p in decaying.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for p, old in zip(decaying.parameters(), before, strict=True):
        torch.testing.assert_close(p.detach(), old * (1 - run.learning_rate * 0.5))


@pytest.mark.parametrize("schedule", [STRONG, Sharpen(k_start=3.0, k_end=15.0)])
def test_sgd_with_the_prior_is_sgd_with_it_folded(schedule: Schedule) -> None:
    run = replace(BASE, optimizer="sgd", learning_rate=0.02, schedule=schedule)
    attached, folded = train(run, DATA), train(replace(run, folded=PARTS), DATA)
    pairs = zip(
        networks.effective_weights(attached.model).values(),
        networks.effective_weights(folded.model).values(),
        strict=True,
    )
    assert max(float((a - b).abs().max()) for a, b in pairs) < 2e-5  # single precision


def test_one_number_under_sgd_is_its_square_as_a_learning_rate_and_a_smaller_start() -> None:
    number, rate = 0.5, 0.02
    run = replace(
        BASE,
        optimizer="sgd",
        learning_rate=rate,
        schedule=Static(kernel=Uniform(value=number)),
        folded=("start", "update", "gradient"),
    )
    model = networks.mlp(FEATURES, run.hidden, CLASSES, generator(run.seed, "initialisation"))
    layers = [layer for _, layer in networks.linear_layers(model)]
    for layer in layers:
        layer.weight.data.mul_(number)
    groups = [
        {"params": [layer.weight for layer in layers], "lr": rate * number**2},
        {"params": [layer.bias for layer in layers]},
    ]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    order = generator(run.seed, "order")
    x = (DATA.train.x.float() - DATA.mean) / DATA.std
    for _ in range(run.epochs):
        for index in torch.randperm(TRAIN, generator=order).split(run.batch_size):
            optimizer.zero_grad()
            cross_entropy(model(x[index]), DATA.train.y[index]).backward()
            optimizer.step()
    attached = train(replace(run, folded=None), DATA).model
    pairs = zip(networks.effective_weights(attached).values(), layers, strict=True)
    for ours, layer in pairs:
        torch.testing.assert_close(ours, layer.weight.detach(), rtol=0.0, atol=2e-5)


IMAGES = replace(DATA, shape=(3, 8, 8))
"""The shape alone: what is built from it, and never trained on."""
OTHERS = {
    "convolutional": Run(dataset="quick-colours", network="convolutional", hidden=(9,), epochs=2),
    "transformer": Run(dataset="quick-colours", network="transformer", hidden=(9, 8), epochs=2),
}
any_other = pytest.mark.parametrize("run", OTHERS.values(), ids=OTHERS)


@any_other
def test_another_network_gives_the_same_bits_again_and_learns(run: Run) -> None:
    run = replace(run, schedule=Sharpen(k_start=3, k_end=9), train_size=600)
    torch.manual_seed(1)
    first = train(run)
    torch.manual_seed(2)
    assert bits(train(run)) == bits(first)
    losses = first.outcome["epochs"]["train_loss"]
    assert first.outcome["status"] == "finished"
    assert losses[-1] < losses[0]


@any_other
def test_arms_of_another_network_start_alike_and_differ_where_the_prior_acts(run: Run) -> None:
    plain = build(run, IMAGES.shape, 10)
    prior = build(replace(run, schedule=STRONG), IMAGES.shape, 10)
    acting = [name for name, _ in networks.prior_layers(plain)]
    between = networks.distances(run, plain, IMAGES.shape)
    expected = [layer_distance(*layer.weight.shape) for _, layer in networks.prior_layers(plain)]
    assert all(torch.equal(a, b) for a, b in zip(between, expected, strict=True))
    carrying = list(parametrization.spatial_priors(prior))
    assert len(carrying) == len(acting)
    for (name, one), (_, two) in zip(
        networks.linear_layers(plain), networks.linear_layers(prior), strict=True
    ):
        assert torch.equal(one.weight, parametrization.learned_weight(two))
        assert torch.equal(one.weight, two.weight) == (name not in acting)
    x = torch.randn(4, 192, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(plain(x), prior(x))


@any_other
def test_the_sparsity_of_another_network_is_that_of_the_layers_with_a_prior(run: Run) -> None:
    outcome = train(replace(run, schedule=STRONG, epochs=1, train_size=64)).outcome
    names = [name for name, _ in networks.prior_layers(build(run, IMAGES.shape, 10))]
    assert list(outcome["final"]["sparsity"]) == [*names, "overall"]


def test_a_cap_in_units_of_the_first_weights_binds_from_the_start() -> None:
    run = replace(BASE, action="cap", schedule=Static(kernel=Scaled(factor=2.0)))
    model = build(run, DATA.shape, CLASSES)
    # 2 / √2 standard deviations: 15.7 % of normal weights lie beyond; 173 weights here.
    assert parametrization.capped_share(model) == pytest.approx(0.157, abs=0.11)
    shares = train(run, DATA).outcome["epochs"]["cap_share"]
    assert len(shares) == run.epochs
    assert min(shares) > 0.05


# ── Other initialisations and scalings ──────────────────────────────────────────────────────────


def test_torch_s_default_initialisation_is_that_of_nn_linear_bit_for_bit() -> None:
    drawn, (into, out) = torch.Generator().manual_seed(7), (11, 5)
    ours = networks.linear(into, out, torch.Generator().manual_seed(0))
    initialisation.torch_default(ours, drawn, BASE)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        theirs = nn.Linear(into, out)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


def test_a_normal_initialisation_has_one_spread_in_every_layer() -> None:
    run = replace(BASE, hidden=(400, 300), initialisation="normal", initial_std=0.05)
    for _, layer in networks.linear_layers(build(run, DATA.shape, CLASSES))[:2]:
        assert float(layer.weight.detach().std()) == pytest.approx(0.05, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize("name", ["torch_default", "normal"])
def test_arms_of_one_seed_start_from_the_same_other_initialisation(name: str) -> None:
    std = 0.1 if name == "normal" else None
    plain = replace(BASE, initialisation=name, initial_std=std)
    model, prior = (
        build(run, DATA.shape, CLASSES) for run in (plain, replace(plain, schedule=STRONG))
    )
    for (_, one), (_, two) in zip(
        networks.linear_layers(model), networks.linear_layers(prior), strict=True
    ):
        assert torch.equal(one.weight, parametrization.learned_weight(two))
        assert torch.equal(one.bias, two.bias)


@pytest.mark.parametrize(("scaling", "ends"), [("unit", (0.0, 1.0)), ("centred", (-1.0, 1.0))])
def test_images_are_scaled_as_a_run_asks(scaling: str, ends: tuple[float, float]) -> None:
    pixels = torch.tensor([[0, 255] * (FEATURES // 2)], dtype=torch.uint8)
    split = Split(x=pixels, y=torch.zeros(1, dtype=torch.int64))
    scaled = replace(DATA, train=split).scaled(scaling)
    found = scaled.inputs(split, torch.tensor([0]))[0]
    assert (float(found.min()), float(found.max())) == ends
    assert DATA.scaled(None) is DATA


def test_text_is_not_scaled() -> None:
    text = replace(DATA, train=Split(x=torch.zeros(1, FEATURES), y=torch.zeros(1)))
    with pytest.raises(ValueError, match="input_scaling: quick-made is not images; leave it out"):
        text.scaled("unit")
