"""What practitioners add: images moved and mirrored, dropout, label smoothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad

from spatialnb import datasets
from spatialnb.config.run import Run, SecondTask
from spatialnb.config.sparsity import Prune
from spatialnb.training import networks
from spatialnb.training.backprop import loss_and_gradients
from spatialnb.training.interventions.augmentation import PADDING, crop_and_flip
from spatialnb.training.interventions.dropout import SeededDropout
from spatialnb.training.loop import train

SHAPE = (2, 5, 6)
RUN = Run(dataset="quick-colours", hidden=(16, 9), epochs=3, train_size=300)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_image_is_a_crop_of_itself_with_a_border_of_zeros_maybe_mirrored() -> None:
    x = torch.arange(1, 12 * 60 + 1).float().reshape(12, 60)
    found = crop_and_flip(x, SHAPE, chance()).reshape(12, *SHAPE)
    mirrored = 0
    for image, moved in zip(x.reshape(12, *SHAPE), found, strict=True):
        places = [
            (top, left, flip)
            for top in range(2 * PADDING + 1)
            for left in range(2 * PADDING + 1)
            for flip in (False, True)
            if torch.equal(_cut(image, top, left, flip), moved)
        ]
        assert places
        mirrored += all(flip for _, _, flip in places)
    assert 1 <= mirrored <= 11


def _cut(image: torch.Tensor, top: int, left: int, flip: bool) -> torch.Tensor:
    _, height, width = SHAPE
    part = pad(image, (PADDING,) * 4)[:, top : top + height, left : left + width]
    return part.flip(2) if flip else part


def test_the_same_generator_gives_the_same_images() -> None:
    x = torch.randn(4, 60, generator=chance())
    assert torch.equal(crop_and_flip(x, SHAPE, chance(1)), crop_and_flip(x, SHAPE, chance(1)))
    assert not torch.equal(crop_and_flip(x, SHAPE, chance(1)), crop_and_flip(x, SHAPE, chance(2)))


def test_text_cannot_be_cropped() -> None:
    with pytest.raises(ValueError, match="only images can be cropped"):
        crop_and_flip(torch.zeros(2, 9), (9,), chance())


def test_dropout_leaves_units_out_where_gradients_are_recorded_alone() -> None:
    part = SeededDropout(0.25)
    part.generator = chance()
    x = torch.ones(200, 50, requires_grad=True)
    found = part(x)
    assert found.detach().unique().tolist() == pytest.approx([0.0, 1.0 / 0.75])
    # 10,000 units: five standard errors of a share of 0.25 are 0.022.
    assert (found == 0.0).double().mean().item() == pytest.approx(0.25, abs=0.022)
    with torch.no_grad():
        assert torch.equal(part(x), x)


@pytest.mark.parametrize(
    "settings",
    [
        {"augmentation": "crop_flip"},
        {"dropout": 0.3},
        {"label_smoothing": 0.1},
        {"augmentation": "crop_flip", "dropout": 0.2, "label_smoothing": 0.1},
    ],
)
def test_a_run_with_them_is_the_same_each_time_and_another_than_without(
    settings: dict[str, Any],
) -> None:
    data, run = datasets.load(RUN.dataset), replace(RUN, **settings)
    one, again, plain = train(run, data), train(run, data), train(RUN, data)
    assert one.outcome == again.outcome
    assert one.outcome["epochs"]["train_loss"] != plain.outcome["epochs"]["train_loss"]
    losses = one.outcome["epochs"]["train_loss"]
    assert losses[-1] < losses[0]
    given = [layer for layer, _ in networks.linear_layers(one.model)]
    assert given == ["0", "2", "4"]  # names in records stay what they are


def test_label_smoothing_trains_on_the_smoothed_target_and_reports_the_plain_loss() -> None:
    model = networks.mlp(6, (8,), 3, chance())
    other = copy.deepcopy(model)
    x, y = torch.randn(10, 6, generator=chance()), torch.arange(10) % 3
    loss = loss_and_gradients(model, label_smoothing=0.2)(x, y)
    assert loss == pytest.approx(cross_entropy(other(x), y).item())
    cross_entropy(other(x), y, label_smoothing=0.2).backward()
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert isinstance(ours, nn.Parameter)
        assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, "dropout: expected a fraction between 0 and 1, got 1"),
        ({"label_smoothing": -0.1}, "label_smoothing: expected a fraction"),
        ({"augmentation": "mixup"}, "unknown augmentation 'mixup'"),
        ({"dropout": 0.5, "network": "convolutional"}, "dropout: expected a multilayer"),
        ({"augmentation": "crop_flip", "second": SecondTask()}, "expected no second task"),
        (
            {"label_smoothing": 0.1, "prune": Prune(by=("random",), zeros=(0.5,))},
            "label_smoothing: expected no second task and no prune",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], message: str) -> None:
    settings = {"train_size": None, **settings}
    with pytest.raises(ValueError, match=message):
        replace(RUN, **settings)
