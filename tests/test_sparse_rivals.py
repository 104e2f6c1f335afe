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
from spatialnb.training import networks
from spatialnb.training.build import build
from spatialnb.training.interventions.soft_threshold import SoftThreshold
from spatialnb.training.loop import train
from spatialnb.training.sparse_optimizers import Granet, Iterative, weights_left

RUN = Run(dataset="quick-colours", hidden=(16, 12), epochs=4, batch_size=2)
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
    start = {weights[0]: weights[0].detach().clone()}
    optimizer = torch.optim.Adam(weights, lr=0.1)
    held = Iterative(
        optimizer, weights, [torch.ones(10, 20, dtype=torch.bool)], left=[50], rounds=3, start=start
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
        assert torch.equal(weights[0][mask], start[weights[0]][mask])
        assert (weights[0][~mask] == 0.0).all()
        assert not optimizer.state


def test_a_soft_threshold_shrinks_what_is_left_and_passes_every_gradient_on() -> None:
    weight = torch.tensor([[0.5, -2.0, 1.0, 0.1]], requires_grad=True)
    part = SoftThreshold(weight)
    assert torch.equal(part(weight), weight)
    part.raise_to(weight, 2)
    assert part.threshold.item() == 0.5
    found = part(weight)
    share = 3.0 / 3.6  # of the row's size, in the weights that are left
    scale = 1.01 / (share + 0.01)
    expected = scale * torch.tensor([[0.0, -1.5, 0.5, 0.0]])
    assert torch.allclose(found, expected, atol=1e-6)
    assert (found[0, [0, 3]] == 0.0).all()
    found.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0, 1.0]]


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
        (lambda: Sparse(zeros=0.5, method="imp"), "Sparse.rounds: expected with the method imp"),
        (lambda: Sparse(zeros=0.5, rounds=3), "Sparse.rounds: expected with the method imp"),
        (lambda: Sparse(zeros=0.5, method="imp", rounds=1), "expected at least 2, got 1"),
        (
            lambda: replace(RUN, sparse=Sparse(zeros=0.5, method="imp", rounds=3)),
            "3 rounds do not divide 4 epochs",
        ),
        (
            lambda: replace(
                RUN,
                sparse=Sparse(zeros=0.5, method="imp", rounds=2),
                learning_rate_decay="linear",
            ),
            "the method imp has a constant learning rate",
        ),
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
