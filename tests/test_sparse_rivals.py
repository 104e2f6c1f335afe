"""GraNet, ST-3 and iterative magnitude pruning: how many weights, which ones, and from where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from spatialnb import datasets
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.training import networks, optimizers
from spatialnb.training.build import build
from spatialnb.training.interventions.soft_threshold import SoftThreshold
from spatialnb.training.loop import train
from spatialnb.training.sparse_optimizers import Granet, Iterative, weights_left

RUN = Run(dataset="quick-colours", hidden=(16, 12), epochs=4, batch_size=16)
ZEROS = 0.8


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.randn(10, 20, generator=chance()))]


def counts(model: nn.Module) -> list[int]:
    return [int((layer.weight != 0.0).sum()) for _, layer in networks.linear_layers(model)]


def test_granet_leaves_ever_fewer_weights_and_ends_with_as_many_as_asked_for() -> None:
    weights = parameters()
    optimizer = torch.optim.SGD(weights, lr=0.01)
    half = torch.rand(10, 20, generator=chance()) < 0.5
    held = Granet(optimizer, weights, [half], left=[30], steps=1000)
    seen = []
    for _ in range(1000):
        weights[0].grad = torch.randn(10, 20, generator=chance())
        if held.before_step():
            optimizer.step()
        held.after_step()
        assert (weights[0][~held.kept[0]] == 0.0).all()
        seen.append(int(held.kept[0].sum()))
    first = int(half.sum())
    assert seen[99] == first
    # Before the step 100 of 750: n = 30 + (n_0 - 30) (1 - 100 / 750)^3.
    assert seen[100] == round(30 + (first - 30) * (1.0 - 100 / 750) ** 3)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 30


def test_granet_grows_weights_where_the_gradient_is_largest() -> None:
    weights = parameters()
    optimizer = torch.optim.SGD(weights, lr=0.0)
    mask = torch.zeros(10, 20, dtype=torch.bool)
    mask[:5] = True
    held = Granet(optimizer, weights, [mask], left=[60], steps=1000)
    gradient = torch.zeros(10, 20)
    gradient[9] = 5.0
    for _ in range(101):
        weights[0].grad = gradient.clone()
        held.before_step()
        held.after_step()
    assert held.kept[0][9].all()


def test_iterative_pruning_keeps_the_largest_and_goes_back_to_the_start() -> None:
    weights = parameters()
    start = weights[0].detach().clone()
    optimizer = torch.optim.Adam(weights, lr=0.1)
    held = Iterative(
        optimizer, weights, [torch.ones(10, 20, dtype=torch.bool)], left=[50], rounds=3
    )
    held.begin(0)
    assert held.kept[0].all()
    for number, left in ((1, 100), (2, 50)):  # 200 · (50 / 200)^(1/2) = 100
        weights[0].grad = torch.randn(10, 20, generator=chance())
        held.step()
        before = weights[0].detach().abs().flatten()
        held.begin(number)
        mask = held.kept[0]
        assert int(mask.sum()) == left
        assert before[mask.flatten()].min() >= before[~mask.flatten()].max()
        assert torch.equal(weights[0][mask], start[mask])
        assert (weights[0][~mask] == 0.0).all()
        assert not optimizer.state


def test_granet_ends_with_as_many_weights_as_asked_for_however_short_the_training() -> None:
    weights = parameters()
    held = Granet(
        torch.optim.SGD(weights, lr=0.01), weights, [torch.ones(10, 20) > 0], left=[30], steps=6
    )
    seen = []
    for _ in range(6):
        weights[0].grad = torch.randn(10, 20, generator=chance())
        held.before_step()
        held.after_step()
        seen.append(int(held.kept[0].sum()))
    assert seen == [200] * 5 + [30]  # 75 % of 6 steps: before step 5, counted from 0


def by_round(values: list[float], rounds: int) -> list[list[float]]:
    size = len(values) // rounds
    return [values[start : start + size] for start in range(0, len(values), size)]


def test_a_run_records_the_zeros_of_each_round_and_starts_each_from_the_same_weights() -> None:
    run = replace(RUN, epochs=6, sparse=Sparse(zeros=ZEROS, method="imp", rounds=3))
    found = train(run, datasets.load(run.dataset)).outcome["epochs"]
    zeros = by_round(found["zeros"], 3)
    assert zeros[0] == [0.0, 0.0]
    assert zeros[1] == pytest.approx([1.0 - (1.0 - ZEROS) ** 0.5] * 2, abs=0.02)
    assert zeros[2] == pytest.approx([ZEROS] * 2, abs=0.02)
    plain = train(replace(run, epochs=2, sparse=None), datasets.load(run.dataset)).outcome
    assert found["train_loss"][:2] == plain["epochs"]["train_loss"]
    loss = by_round(found["train_loss"], 3)
    assert all(first > last for first, last in loss)
    assert loss[1][0] > loss[0][1]


def test_a_run_can_rewind_to_an_early_epoch_of_the_first_round() -> None:
    data = datasets.load(RUN.dataset)
    first, later = (
        train(replace(RUN, epochs=6, sparse=sparse), data).outcome["epochs"]["train_loss"]
        for sparse in (
            Sparse(zeros=0.3, method="imp", rounds=2),
            Sparse(zeros=0.3, method="imp", rounds=2, rewind=2),
        )
    )
    assert first[:3] == later[:3]
    assert later[3] < 0.8 * first[3]


def test_the_learning_rate_falls_anew_in_each_round() -> None:
    sparse = Sparse(zeros=ZEROS, method="imp", rounds=2)
    run = replace(RUN, sparse=sparse, learning_rate_decay="linear", learning_rate=0.1)
    optimizer = torch.optim.SGD(parameters(), lr=run.learning_rate)
    schedule = optimizers.schedule(run, optimizer, steps=8)
    assert schedule is not None
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025] * 2)


def test_a_soft_threshold_shrinks_what_is_left_and_passes_every_gradient_on() -> None:
    weight = torch.tensor([[0.5, -2.0, 1.0, 0.1]], requires_grad=True)
    part = SoftThreshold(weight)
    assert torch.equal(part(weight), weight)
    part.raise_to(weight, 2)
    assert part.threshold.item() == 0.5
    found = part(weight)
    share = 3.0 / 3.6  # of the row's size, in the weights that are left
    scale = 1.01 / (share + 0.01)
    assert found.tolist() == [pytest.approx([0.0, -1.5 * scale, 0.5 * scale, 0.0])]
    found.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0, 1.0]]


def test_a_weight_crosses_a_soft_threshold_without_a_jump_and_never_with_a_wrong_sign() -> None:
    weight = torch.linspace(-1.0, 1.0, 401)[None]
    part = SoftThreshold(weight)
    part.raise_to(weight, 200)  # as of an earlier step: the weights have moved since
    found = part(weight)[0]
    assert (found * weight[0] >= 0.0).all()
    assert found.diff().abs().max() <= 1.01 * float(part.scale) * 0.005
    assert (found[weight[0].abs() <= part.threshold] == 0.0).all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
def test_a_soft_threshold_keeps_its_number_of_weights_to_the_end(optimizer: str) -> None:
    decay = 0.1 if optimizer == "adamw" else None
    sparse = Sparse(zeros=ZEROS, method="st3")
    run = replace(RUN, sparse=sparse, optimizer=optimizer, weight_decay=decay)
    model = train(run, datasets.load(run.dataset)).model
    for _, layer in networks.linear_layers(model):
        left, asked = int((layer.weight != 0.0).sum()), weights_left(layer.weight.shape, ZEROS)
        assert asked - 1 <= left <= asked  # two weights of one size at the threshold are both zero


@pytest.mark.parametrize(
    "sparse",
    [
        Sparse(zeros=ZEROS, method="granet"),
        Sparse(zeros=ZEROS, method="st3"),
        Sparse(zeros=ZEROS, method="imp", rounds=2),
        Sparse(zeros=ZEROS, method="granet", layers="first"),
        Sparse(zeros=ZEROS, method="st3", layers="first"),
        Sparse(zeros=ZEROS, method="imp", rounds=4, layers="first"),
    ],
    ids=lambda one: f"{one.method}, {one.layers or 'all'}",
)
def test_a_run_ends_with_as_many_weights_as_every_other_method(sparse: Sparse) -> None:
    run = replace(RUN, sparse=sparse)
    data = datasets.load(run.dataset)
    trained, again = train(run, data), train(run, data)
    assert trained.outcome == again.outcome
    shapes = [layer.weight.shape for _, layer in networks.linear_layers(trained.model)]
    expected = [weights_left(shape, ZEROS) for shape in shapes]
    if sparse.layers == "first":
        inputs = build(
            replace(RUN, sparse=Sparse(zeros=ZEROS, layers="first")), data.shape, data.classes
        )
        expected = [counts(inputs)[0], *(shape.numel() for shape in shapes[1:])]
    left = counts(trained.model)
    # A weight of a pixel that is black in every image stays at the zero at which it grew.
    assert all(0.8 * most < now <= most for now, most in zip(left, expected, strict=True))
    zeros = trained.outcome["final"]["zeros"]
    assert zeros == pytest.approx(1.0 - sum(left) / sum(shape.numel() for shape in shapes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparse(zeros=0.5, method="imp"), "Sparse.rounds: required with the method imp"),
        (lambda: Sparse(zeros=0.5, rounds=3), "Sparse.rounds: required with the method imp"),
        (lambda: Sparse(zeros=0.5, method="imp", rounds=1), "expected at least 2, got 1"),
        (
            lambda: replace(RUN, sparse=Sparse(zeros=0.5, method="imp", rounds=3)),
            "epochs: 4 cannot be divided into the 3 equal rounds",
        ),
        (
            lambda: replace(RUN, sparse=Sparse(zeros=0.5, method="imp", rounds=2, rewind=2)),
            "a round has 2 epochs, and rewind must be less than that; got 2",
        ),
        (
            lambda: Sparse(zeros=0.5, method="imp", rounds=2, rewind=0),
            "Sparse.rewind: expected at least 1, got 0",
        ),
        (lambda: Sparse(zeros=0.5, method="st3", places="band"), "Sparse.places: .* starts dense"),
        (
            lambda: Sparse(zeros=0.5, method="imp", rounds=2, places="nearest"),
            "Sparse.places: the method imp starts dense; leave it out",
        ),
        (lambda: Sparse(zeros=0.5, rewind=1), "Sparse.rewind: allowed only with the method imp"),
        (
            lambda: replace(
                RUN,
                sparse=Sparse(zeros=0.5, method="st3"),
                schedule=Static(kernel=Exponential()),
            ),
            "st3 expects a network without a prior",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
