"""The networks of the report, and two others."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, layer_norm, linear, max_pool2d

from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Linear
from spatialnb.training import networks


def made(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_reference_network_has_relu_between_its_layers_and_none_at_the_end() -> None:
    model = networks.mlp(3072, (256, 128), 10, made())
    parts = [type(part) for part in model]
    assert parts == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    shapes = [tuple(layer.weight.shape) for _, layer in networks.linear_layers(model)]
    assert shapes == [(256, 3072), (128, 256), (10, 128)]
    assert model(torch.zeros(4, 3072)).shape == (4, 10)


def test_a_network_without_hidden_layers_is_one_linear_layer() -> None:
    assert [type(part) for part in networks.mlp(6, (), 3, made())] == [nn.Linear]


def test_weights_are_kaiming_normal_and_biases_are_nought() -> None:
    model = networks.mlp(3072, (256, 128), 10, made())
    for _, layer in networks.linear_layers(model):
        weight = layer.weight.detach().double()
        count, fan_in = weight.numel(), layer.in_features
        # Standard errors of mean, variance and fourth moment of a normal sample; five of each.
        deviation = math.sqrt(2 / fan_in)
        assert abs(weight.mean().item()) < 5 * deviation / math.sqrt(count)
        assert weight.var().item() == pytest.approx(2 / fan_in, rel=5 * math.sqrt(2 / count))
        fourth = (weight / deviation).pow(4).mean().item()
        assert fourth == pytest.approx(3.0, abs=5 * math.sqrt(96 / count)), "not a normal"
        assert not layer.bias.any()
        assert weight.dtype == torch.float64
        assert layer.weight.dtype == torch.float32
        assert layer.weight.requires_grad
        assert layer.bias.requires_grad


def test_a_network_is_drawn_from_its_generator_and_nothing_global() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = networks.mlp(6, (5,), 3, made(3)).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    again, other = (networks.mlp(6, (5,), 3, made(seed)).state_dict() for seed in (3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_the_weights_that_act_are_those_a_prior_makes_and_are_a_copy() -> None:
    model = networks.mlp(6, (5,), 3, made())
    plain = networks.effective_weights(model)
    acting = networks.effective_weights(parametrization.attach(model, Linear()))
    assert list(plain) == list(acting) == ["0", "2"]
    assert not torch.equal(plain["0"], acting["0"])
    acting["0"].zero_()
    assert torch.equal(plain["0"], parametrization.learned_weight(model[0]))
    assert model[0].weight.any()
    assert not acting["0"].requires_grad


def test_layers_are_listed_first_to_last_with_and_without_priors() -> None:
    model = networks.mlp(6, (5, 4), 3, made())
    assert [name for name, _ in networks.linear_layers(model)] == ["0", "2", "4"]
    parametrization.attach(model, Linear())
    assert [name for name, _ in networks.linear_layers(model)] == ["0", "2", "4"]


# ── Convolutional, transformer ──────────────────────────────────────────────────────────────────

IMAGE = (3, 8, 12)
MAKERS = {
    "convolutional": networks.convolutional,
    "pooled": networks.convolutional_pooled,
    "transformer": networks.Transformer,
}
any_network = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@any_network
def test_a_network_is_drawn_from_its_generator_and_takes_flattened_images(make: Any) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make(IMAGE, (7, 6), 4, made(3))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    again, other = (make(IMAGE, (7, 6), 4, made(seed)) for seed in (3, 4))
    x = torch.randn(5, math.prod(IMAGE), generator=made())
    assert first(x).shape == (5, 4)
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


@any_network
@pytest.mark.parametrize("shape", [(36,), (1, 2, 8)])
def test_what_is_no_image_is_refused(make: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape: this network needs images of at least 4 by 4"):
        make(shape, (7,), 4, made())


def test_a_pooled_convolutional_network_has_its_weights_in_filters() -> None:
    model = networks.convolutional_pooled((3, 32, 32), (47, 94, 180), 10, made())
    parts = [part for part in model.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    counts = [part.weight.numel() for part in parts]
    assert counts == [27 * 47, 9 * 47 * 94, 9 * 94 * 180, 1800]
    assert sum(counts) == 195_111
    pixels = model[:-3](torch.randn(2, 3 * 32 * 32, generator=made()))
    assert pixels.shape == (2, 180, 4, 4)
    assert torch.allclose(model[-3:-1](pixels), pixels.mean(dim=(2, 3)))


@pytest.mark.parametrize("hidden", [(), (4, 4, 4, 4)])
def test_a_pooled_convolutional_network_refuses_more_layers_than_can_halve_an_image(
    hidden: tuple[int, ...],
) -> None:
    with pytest.raises(ValueError, match="images of 8 by 10 needs 1 to 3 layers, got"):
        networks.convolutional_pooled((3, 8, 10), hidden, 4, made())


def test_a_transformer_refuses_an_image_that_cannot_be_cut_evenly() -> None:
    with pytest.raises(ValueError, match="whose sides are multiples of 4, got 8 by 10"):
        networks.Transformer((3, 8, 10), (7,), 4, made())


def test_a_convolutional_network_is_the_formula_with_the_reports_network_as_its_classifier() -> (
    None
):
    model = networks.convolutional(IMAGE, (7, 6), 4, made())
    x = torch.randn(2, *IMAGE, generator=made(1))
    first, second = (part for part in model if isinstance(part, nn.Conv2d))
    inside = x
    for layer in (first, second):
        inside = max_pool2d(conv2d(inside, layer.weight, layer.bias, padding=1).relu(), 2)
    layers = [layer for _, layer in networks.linear_layers(model)]
    inside = inside.flatten(1)
    for layer in layers:
        inside = linear(inside, layer.weight, layer.bias)
        inside = inside if layer is layers[-1] else inside.relu()
    torch.testing.assert_close(model(x.flatten(1)), inside, rtol=1e-4, atol=1e-5)
    assert [layer.in_features for layer in layers] == [32 * 2 * 3, 7, 6]
    assert networks.prior_layers(model) == networks.linear_layers(model)
    deviation = first.weight.detach().std().item()
    # 432 weights: a standard error of 0.034 of the deviation; four of them.
    assert deviation == pytest.approx(math.sqrt(2 / 27), rel=0.14)


def test_a_token_is_a_patch_of_the_image() -> None:
    model = networks.Transformer(IMAGE, (7,), 4, made())
    x = torch.randn(2, *IMAGE, generator=made(1))
    patches = model._patches(x.flatten(1))
    assert patches.shape == (2, 16, 3 * 2 * 3)
    for row, column in ((0, 0), (1, 2), (3, 3)):
        cut = x[:, :, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        assert torch.equal(patches[:, 4 * row + column], cut.flatten(1))


def test_a_block_is_attention_and_an_mlp_on_normalised_tokens() -> None:
    block = networks.Transformer(IMAGE, (7,), 4, made()).blocks[0]
    tokens = torch.randn(2, 5, 64, generator=made(1))
    normal = layer_norm(tokens, (64,))
    queries, keys, values = block.mix(normal).split(64, dim=2)
    heads = []
    for head in range(4):
        q, k, v = (part[:, :, 16 * head : 16 * head + 16] for part in (queries, keys, values))
        heads.append((q @ k.transpose(1, 2) / 4.0).softmax(dim=2) @ v)  # 4 = the root of 16
    mixed = tokens + block.out(torch.cat(heads, dim=2))
    expected = mixed + block.mlp(layer_norm(mixed, (64,)))
    torch.testing.assert_close(block(tokens), expected, rtol=1e-4, atol=1e-5)


def test_a_prior_acts_on_a_transformers_mlps_alone() -> None:
    model = networks.Transformer(IMAGE, (7, 6), 4, made())
    chosen = networks.prior_layers(model)
    names = ["blocks.0.mlp.0", "blocks.0.mlp.2", "blocks.1.mlp.0", "blocks.1.mlp.2"]
    assert [name for name, _ in chosen] == names
    shapes = [tuple(layer.weight.shape) for _, layer in chosen]
    assert shapes == [(7, 64), (64, 7), (6, 64), (64, 6)]
    assert len(networks.linear_layers(model)) == len(chosen) + 6  # embed, head, mix and out of two
