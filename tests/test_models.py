"""The networks of the report."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from spatialnb import models, priors
from spatialnb.kernels import Linear


def made(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_reference_network_has_relu_between_its_layers_and_none_at_the_end() -> None:
    model = models.mlp(3072, (256, 128), 10, made())
    parts = [type(part) for part in model]
    assert parts == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    shapes = [tuple(layer.weight.shape) for _, layer in models.linear_layers(model)]
    assert shapes == [(256, 3072), (128, 256), (10, 128)]
    assert model(torch.zeros(4, 3072)).shape == (4, 10)


def test_a_network_without_hidden_layers_is_one_linear_layer() -> None:
    assert [type(part) for part in models.mlp(6, (), 3, made())] == [nn.Linear]


def test_weights_are_kaiming_normal_and_biases_are_nought() -> None:
    model = models.mlp(3072, (256, 128), 10, made())
    for _, layer in models.linear_layers(model):
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
    first = models.mlp(6, (5,), 3, made(3)).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    again, other = (models.mlp(6, (5,), 3, made(seed)).state_dict() for seed in (3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_the_weights_that_act_are_those_a_prior_makes_and_are_a_copy() -> None:
    model = models.mlp(6, (5,), 3, made())
    plain = models.effective_weights(model)
    acting = models.effective_weights(priors.attach(model, Linear()))
    assert list(plain) == list(acting) == ["0", "2"]
    assert not torch.equal(plain["0"], acting["0"])
    acting["0"].zero_()
    assert torch.equal(plain["0"], priors.learned_weight(model[0]))
    assert model[0].weight.any()
    assert not acting["0"].requires_grad


def test_layers_are_listed_first_to_last_with_and_without_priors() -> None:
    model = models.mlp(6, (5, 4), 3, made())
    assert [name for name, _ in models.linear_layers(model)] == ["0", "2", "4"]
    priors.attach(model, Linear())
    assert [name for name, _ in models.linear_layers(model)] == ["0", "2", "4"]
