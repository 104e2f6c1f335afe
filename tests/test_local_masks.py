"""Masks by position: as many inputs for every unit, the right ones, and zeros that stay zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb import datasets
from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors import local_masks
from spatialnb.priors.geometry import layer_distance, plane
from spatialnb.training import networks
from spatialnb.training.build import build
from spatialnb.training.loop import train
from spatialnb.training.sparse_optimizers import Masked

PROPERTY = settings(deadline=None, max_examples=40)
SHAPE = (3, 6, 8)
RUN = Run(dataset="quick-colours", hidden=(16, 9), epochs=2, train_size=200)


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@PROPERTY
@given(st.integers(1, 20), st.floats(0.05, 0.99), st.one_of(st.none(), st.integers(0, 99)))
def test_each_unit_keeps_its_nearest_pixels_with_all_channels(
    units: int, zeros: float, permuted: int | None
) -> None:
    between = plane(SHAPE, units, permuted=permuted)[0]
    kept = local_masks.kept_inputs(zeros, 144, 3)
    mask = local_masks.nearest(between, kept, 3)
    assert (mask.sum(dim=1) == kept).all()
    by_channel = mask.reshape(units, 3, 48)
    assert (by_channel == by_channel[:, :1]).all()
    for row, there in zip(mask, between, strict=True):
        assert there[row].max() <= there[~row].min() if not row.all() else True


def test_a_tie_goes_to_the_first_in_order() -> None:
    mask = local_masks.nearest(torch.tensor([[0.5, 0.1, 0.5, 0.5]]), 2)
    assert mask.tolist() == [[True, True, False, False]]


def test_on_the_line_the_mask_is_a_band() -> None:
    mask = local_masks.nearest(layer_distance(5, 40), 7)
    for row in mask:
        first, last = row.nonzero().flatten()[[0, -1]].tolist()
        assert last - first == 6


@PROPERTY
@given(st.integers(1, 9), st.integers(1, 30))
def test_at_random_every_unit_keeps_as_many(units: int, kept: int) -> None:
    mask = local_masks.random((units, 30), kept, chance())
    assert (mask.sum(dim=1) == kept).all()


@pytest.mark.parametrize(("zeros", "side"), [(0.942, 8), (0.98, 5), (0.75, 16)])
def test_a_window_is_a_square_around_its_unit_and_within_the_image(zeros: float, side: int) -> None:
    shape = (3, 32, 32)
    mask = local_masks.window(shape, 256, zeros).reshape(256, 3, 32, 32)
    assert (mask == mask[:, :1]).all()
    assert (mask[:, 0].sum(dim=(1, 2)) == side * side).all()
    corner = mask[0, 0].nonzero()
    assert corner.min(dim=0).values.tolist() == [0, 0]
    assert corner.max(dim=0).values.tolist() == [side - 1, side - 1]
    middle = mask[8 * 16 + 8, 0].nonzero().double().mean(dim=0)
    assert (middle - 16.5).abs().max() <= 1.5


def test_permuted_pixels_take_a_window_apart() -> None:
    shape = (1, 12, 12)
    whole, apart = local_masks.window(shape, 16, 0.9), local_masks.window(shape, 16, 0.9, 7)
    assert torch.equal(whole.sum(dim=1), apart.sum(dim=1))
    assert not torch.equal(whole, apart)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
@pytest.mark.parametrize(
    ("places", "positions"),
    [("nearest", "plane"), ("nearest", None), ("random", None), ("window", "plane")],
)
def test_the_first_layers_zeros_are_zero_and_stay_so(
    places: str, positions: str | None, optimizer: str
) -> None:
    sparse = Sparse(zeros=0.8, places=places, layers="first")
    decay = 0.1 if optimizer == "adamw" else None
    run = replace(RUN, sparse=sparse, positions=positions, optimizer=optimizer, weight_decay=decay)
    data = datasets.load(run.dataset)
    before = build(run, data.shape, data.classes)
    trained = train(run, data)
    first, second = (networks.linear_layers(trained.model)[place][1].weight for place in (0, 1))
    mask = networks.linear_layers(before)[0][1].weight != 0.0
    assert (first[~mask] == 0.0).all()
    assert (mask.sum(dim=1) == mask.sum(dim=1)[0]).all()
    assert (second != 0.0).double().mean() > 0.9
    total = sum(layer.weight.numel() for _, layer in networks.linear_layers(trained.model))
    assert trained.outcome["final"]["zeros"] == pytest.approx(int((~mask).sum()) / total, abs=0.01)


@pytest.mark.parametrize(
    "make",
    [
        lambda parts: torch.optim.Adam(parts, lr=0.1),
        lambda parts: torch.optim.AdamW(parts, lr=0.1, weight_decay=1.0),
        lambda parts: torch.optim.SGD(parts, lr=0.1, momentum=0.9),
    ],
    ids=["adam", "adamw", "sgd"],
)
def test_no_step_moves_a_zero_by_momentum_or_by_decay(make: Any) -> None:
    weight = torch.randn(6, 144, generator=chance()).requires_grad_()
    mask = local_masks.nearest(plane(SHAPE, 6)[0], 21, 3)
    optimizer = make([weight])
    # Averages of before the mask, which would go on moving the weights.
    weight.grad = torch.randn(6, 144, generator=chance())
    optimizer.step()
    held = Masked(optimizer, [weight], [mask])
    for _ in range(5):
        weight.grad = torch.randn(6, 144, generator=chance())
        held.step()
        assert (weight[~mask] == 0.0).all()
        assert (weight[mask] != 0.0).all()


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_set_and_rigl_move_the_first_layers_weights_alone(method: str) -> None:
    run = replace(RUN, sparse=Sparse(zeros=0.8, method=method, layers="first"), epochs=3)
    data = datasets.load(run.dataset)
    before, after = build(run, data.shape, data.classes), train(run, data).model
    masks = [networks.linear_layers(model)[0][1].weight != 0.0 for model in (before, after)]
    assert int(masks[1].sum()) <= int(masks[0].sum())
    assert method == "rigl" or not torch.equal(masks[0], masks[1])
    assert (networks.linear_layers(after)[1][1].weight != 0.0).double().mean() > 0.9


def test_weights_that_are_kept_start_as_large_as_the_inputs_that_are_left_ask_for() -> None:
    run = Run(sparse=Sparse(zeros=0.942, places="nearest", layers="first"), positions="plane")
    model = build(run, (3, 32, 32), 10)
    first = networks.linear_layers(model)[0][1].weight
    kept = first[first != 0.0]
    assert len(kept) == 256 * 177
    # 45,312 weights: five standard errors of a standard deviation are 1.7 %.
    assert kept.std().item() == pytest.approx((2.0 / 177) ** 0.5, rel=0.017)


@pytest.mark.parametrize("method", ["static", "granet"])
def test_with_the_dense_fan_in_weights_start_as_the_dense_layer_drew_them(method: str) -> None:
    sparse = Sparse(zeros=0.9, places="nearest", layers="first", fan_in="dense", method=method)
    run = replace(RUN, sparse=sparse, positions="plane")
    data = datasets.load(run.dataset)
    masked, dense = (
        networks.linear_layers(build(one, data.shape, data.classes)) for one in (run, RUN)
    )
    first, drawn = masked[0][1].weight, dense[0][1].weight
    assert torch.equal(first, drawn * (first != 0.0))
    assert 0 < int((first != 0.0).sum()) < first.numel()
    assert torch.equal(masked[1][1].weight, dense[1][1].weight)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fan_in": "sparse"}, "unknown Sparse.fan_in 'sparse'.*inputs that are kept"),
        ({"fan_in": "dense", "method": "st3"}, "the method st3 starts dense"),
        ({"fan_in": "dense", "method": "imp", "rounds": 2}, "the method imp starts dense"),
        ({"layers": "last"}, "unknown Sparse.layers 'last'"),
        ({"places": "window"}, "window needs pixels as inputs; set layers to first"),
        ({"places": "band", "layers": "first"}, "for the first layer only, use nearest"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sparse(zeros=0.5, **settings)
