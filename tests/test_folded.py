"""A prior folded into the optimiser trains as the attached one does, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.priors import parametrization
from spatialnb.priors.folded_optimizer import PARTS, Folded, start
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Averaged, Exponential, Inverse, Linear, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal, Reshuffled, Schedule, Sharpen, Static, progress
from spatialnb.training import networks

PROPERTY = settings(deadline=None, max_examples=25)
FEATURES, HIDDEN, CLASSES, EPOCHS, STEPS = 12, (8, 7), 3, 5, 6

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.02),
    "adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=0.02, fused=True),
    "adam, large epsilon": lambda parameters: torch.optim.Adam(parameters, lr=0.02, eps=0.1),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
}
SHARPEN = Sharpen(k_start=3.0, k_end=50.0)
SCHEDULES: dict[str, Schedule] = {
    "none": Static(),
    "static": Static(kernel=Exponential(k=6.0)),
    "sharpen": SHARPEN,
    "shuffled": Sharpen(k_start=3.0, k_end=50.0, kernel=Shuffled(kernel=Exponential())),
    "reshuffled": Reshuffled(schedule=SHARPEN),
    "one number": Sharpen(k_start=3.0, k_end=50.0, kernel=Averaged(kernel=Exponential())),
    "anneal": Anneal(start=Linear(), end=Inverse()),
}


def network(seed: int = 0) -> nn.Sequential:
    return networks.mlp(FEATURES, HIDDEN, CLASSES, torch.Generator().manual_seed(seed)).double()


def samples() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(7)
    return [
        (
            torch.randn(16, FEATURES, generator=generator, dtype=torch.float64),
            torch.randint(CLASSES, (16,), generator=generator),
        )
        for _ in range(STEPS)
    ]


def backward(model: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    for parameter in model.parameters():
        parameter.grad = None
    cross_entropy(model(batch[0]), batch[1]).backward()


def weights(model: nn.Module) -> list[Tensor]:
    effective = networks.effective_weights(model)
    biases = [layer.bias.detach().clone() for _, layer in networks.linear_layers(model)]
    return [*effective.values(), *biases]


def attached(schedule: Schedule, make: Make) -> list[list[Tensor]]:
    """Effective weights and biases after every step with the prior attached."""
    model = parametrization.attach(network(), schedule)
    optimizer = make(list(model.parameters()))
    path = []
    for epoch in range(EPOCHS):
        parametrization.step(model, schedule, progress(epoch, EPOCHS))
        for batch in samples():
            backward(model, batch)
            optimizer.step()
            path.append(weights(model))
    return path


def folded(schedule: Schedule, make: Make, parts: tuple[str, ...] = PARTS) -> list[list[Tensor]]:
    """The same with the prior folded into the optimiser."""
    model = network()
    if "start" in parts:
        start(model, schedule.at(0.0))
    optimizer = Folded(model, make(list(model.parameters())), schedule.at(0.0), parts)
    path = []
    for epoch in range(EPOCHS):
        optimizer.set_kernel(schedule.at(progress(epoch, EPOCHS)))
        for batch in samples():
            backward(model, batch)
            optimizer.step()
            path.append(weights(model))
    return path


def farthest(one: list[list[Tensor]], other: list[list[Tensor]]) -> float:
    """The largest difference of any weight after any step."""
    pairs = [pair for a, b in zip(one, other, strict=True) for pair in zip(a, b, strict=True)]
    return max(float((a - b).abs().max()) for a, b in pairs)


# ── All parts together ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_all_parts_together_are_training_with_the_prior(schedule: Schedule, make: Make) -> None:
    ours, theirs = folded(schedule, make), attached(schedule, make)
    # Rounding alone: double precision has 16 digits, and 30 steps add little to the last.
    assert farthest(ours, theirs) < 1e-10
    assert farthest(ours[-1:], [weights(network())]) > 0.1, "nothing was trained"


@PROPERTY
@given(st.floats(0.5, 20.0), st.floats(0.5, 60.0), st.floats(0.02, 0.5))
def test_any_sharpening_can_be_folded(first: float, last: float, floor: float) -> None:
    schedule = Sharpen(k_start=first, k_end=last, kernel=Exponential(floor=floor))
    make = OPTIMIZERS["adam"]
    assert farthest(folded(schedule, make), attached(schedule, make)) < 1e-10


def test_under_adam_a_static_prior_is_a_start_and_a_learning_rate_for_every_weight() -> None:
    r"""Learning rate $\eta K$ and $\varepsilon / K$ for each weight, written out."""
    kernel, rate, small = Exponential(k=6.0), 0.02, 1e-8
    model = network()
    start(model, kernel)
    layers = [layer for _, layer in networks.linear_layers(model)]
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    one = torch.ones((), dtype=torch.float64)
    strengths = [
        k for layer in layers for k in (kernel.strength(layer_distance(*layer.weight.shape)), one)
    ]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    step = 0
    for _ in range(EPOCHS):
        for batch in samples():
            backward(model, batch)
            step += 1
            with torch.no_grad():
                for p, k, (m, v) in zip(parameters, strengths, moments, strict=True):
                    assert p.grad is not None
                    m.mul_(0.9).add_(0.1 * p.grad)
                    v.mul_(0.999).add_(0.001 * p.grad**2)
                    root = (v / (1 - 0.999**step)).sqrt()
                    p.sub_(rate * k * (m / (1 - 0.9**step)) / (root + small / k))
    path = attached(Static(kernel=kernel), OPTIMIZERS["adam"])
    assert farthest([weights(model)], path[-1:]) < 1e-10


def test_under_sgd_a_static_prior_is_a_learning_rate_times_the_square_of_the_strength() -> None:
    kernel = Exponential(k=6.0)
    model = network()
    start(model, kernel)
    for _ in range(EPOCHS):
        for batch in samples():
            backward(model, batch)
            with torch.no_grad():
                for _, layer in networks.linear_layers(model):
                    k = kernel.strength(layer_distance(*layer.weight.shape))
                    layer.weight -= 0.1 * k**2 * layer.weight.grad
                    layer.bias -= 0.1 * layer.bias.grad
    path = attached(Static(kernel=kernel), OPTIMIZERS["sgd"])
    assert farthest([weights(model)], path[-1:]) < 1e-10


# ── Each part by itself ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("left_out", PARTS)
@pytest.mark.parametrize("name", ["adam, large epsilon", "sgd"])
def test_every_part_counts(left_out: str, name: str) -> None:
    parts = tuple(part for part in PARTS if part != left_out)
    make = OPTIMIZERS[name]
    assert farthest(folded(SHARPEN, make, parts), attached(SHARPEN, make)) > 1e-3


def test_without_parts_the_optimiser_is_its_own() -> None:
    make = OPTIMIZERS["adam"]
    assert farthest(folded(SHARPEN, make, ()), folded(Static(), make)) == 0.0


def test_shrinking_alone_multiplies_by_the_ratio_of_the_strengths() -> None:
    model = network()
    before = networks.effective_weights(model)
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    folding = Folded(model, optimizer, Uniform(value=0.5), ["shrink"])
    folding.set_kernel(Uniform(value=0.125))
    folding.set_kernel(Uniform(value=0.125))
    for name, weight in networks.effective_weights(model).items():
        assert torch.equal(weight, 0.25 * before[name])


def test_the_update_alone_is_a_learning_rate_of_the_weights_and_leaves_the_biases_theirs() -> None:
    make = OPTIMIZERS["sgd"]
    models_ = network(), network()
    batch = samples()[0]
    optimizers = [make(list(model.parameters())) for model in models_]
    backward(models_[0], batch)
    backward(models_[1], batch)
    before = weights(models_[0])
    Folded(models_[0], optimizers[0], Uniform(value=0.25), ["update"]).step()
    optimizers[1].step()
    count = len(HIDDEN) + 1
    for place, (old, ours, plain) in enumerate(zip(before, *map(weights, models_), strict=True)):
        factor = 0.25 if place < count else 1.0
        torch.testing.assert_close(ours - old, factor * (plain - old), rtol=1e-9, atol=1e-12)


# ── What is refused ─────────────────────────────────────────────────────────────────────────────


def test_an_unknown_part_is_refused_with_those_there_are() -> None:
    model = network()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with pytest.raises(ValueError, match=r"unknown part of folded 'shrinks'; known: .*'shrink'\?"):
        Folded(model, optimizer, Exponential(), ["shrinks"])


def test_a_strength_of_zero_cannot_be_folded() -> None:
    model = network()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    message = "linear has kernel values that are not above 0, .* give the kernel a floor"
    with pytest.raises(ValueError, match=message):
        Folded(model, optimizer, Linear(floor=0.0))
    with pytest.raises(ValueError, match=message):
        Folded(model, optimizer, Linear()).set_kernel(Linear(floor=0.0))
    with pytest.raises(ValueError, match=message):
        start(model, Linear(floor=0.0))


def test_a_prior_is_attached_or_folded_and_not_both() -> None:
    model = parametrization.attach(network(), Exponential())
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with pytest.raises(ValueError, match=r"layer '0' has a parametrized weight; .* remove\(model"):
        Folded(model, optimizer, Exponential())


def test_a_model_without_linear_layers_is_refused() -> None:
    model = nn.Conv2d(1, 1, 1)
    with pytest.raises(ValueError, match=r"Conv2d has no nn\.Linear layer"):
        Folded(model, OPTIMIZERS["sgd"](list(model.parameters())), Exponential())
