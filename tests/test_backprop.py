"""Gradients written out: the bits of autograd, and autograd itself where they are not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential
from spatialnb.studies import STUDIES
from spatialnb.training.backprop import WrittenOut, is_plain, loss_and_gradients
from spatialnb.training.build import build
from spatialnb.training.networks import TwoTask, mlp

FEATURES, HIDDEN, CLASSES, BATCH = 48, (24, 16), 10, 32


def network(
    prior: bool = False, hidden: tuple[int, ...] = HIDDEN, dtype: torch.dtype = torch.float32
) -> nn.Sequential:
    model = mlp(FEATURES, hidden, CLASSES, torch.Generator().manual_seed(1)).to(dtype)
    return parametrization.attach(model, Exponential()) if prior else model


def batch(
    seed: int, size: int = BATCH, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    x = torch.randn(size, FEATURES, generator=chance, dtype=dtype)
    return x, torch.randint(CLASSES, (size,), generator=chance)


def by_autograd(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    loss = cross_entropy(model(x), y)
    names = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(names.values()))
    return loss.detach(), dict(zip(names, found, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("hidden", [(), (24,), HIDDEN])
@pytest.mark.parametrize("prior", [False, True])
def test_written_out_gives_the_bits_of_autograd(
    prior: bool, hidden: tuple[int, ...], dtype: torch.dtype
) -> None:
    model = network(prior, hidden, dtype)
    step = loss_and_gradients(model)
    assert isinstance(step, WrittenOut)
    for seed, size in ((0, BATCH), (1, 5), (2, BATCH)):  # the last batch of an epoch is smaller
        x, y = batch(seed, size, dtype)
        before = x.clone()
        loss, wanted = by_autograd(model, x, y)
        assert torch.equal(step(x, y), loss)
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter.grad, wanted[name]), name  # type: ignore[arg-type]
            assert wanted[name].abs().max() > 0.0
        assert torch.equal(x, before)


def test_strengths_that_move_are_followed() -> None:
    model = network(prior=True)
    step = loss_and_gradients(model)
    x, y = batch(0)
    first = step(x, y)
    parametrization.step(model, Exponential(k=15.0), 0.0)
    loss, wanted = by_autograd(model, x, y)
    assert torch.equal(step(x, y), loss)
    assert not torch.equal(loss, first)
    weight = parametrization.learned_weight(model[0])  # type: ignore[arg-type]
    assert torch.equal(weight.grad, wanted["0.parametrizations.weight.original"])  # type: ignore[arg-type]


def test_a_loss_that_is_not_finite_is_given_as_it_is() -> None:
    model = network()
    x, y = batch(0)
    x[0, 0] = torch.nan
    assert loss_and_gradients(model)(x, y).isnan()


def test_a_penalty_adds_its_gradient_and_not_its_value() -> None:
    model = network()
    x, y = batch(0)
    loss, wanted = by_autograd(model, x, y)
    step = loss_and_gradients(model, [lambda: 0.5 * model[0].weight.square().sum()])  # type: ignore[union-attr, operator]
    assert not isinstance(step, WrittenOut)
    for _ in range(2):  # gradients are replaced, not added to
        assert torch.equal(step(x, y), loss)
        weight = model[0].weight
        torch.testing.assert_close(weight.grad, wanted["0.weight"] + weight.detach())


def capped(model: nn.Sequential) -> nn.Sequential:
    return parametrization.attach(model, Exponential(), action="cap")


def twice(model: nn.Sequential) -> nn.Sequential:
    parametrization.attach(model, Exponential())
    nn.utils.parametrize.register_parametrization(model[0], "weight", nn.Tanh())  # type: ignore[arg-type]
    return model


def frozen(model: nn.Sequential) -> nn.Sequential:
    next(model.parameters()).requires_grad_(False)
    return model


def smooth(model: nn.Sequential) -> nn.Sequential:
    model[1] = nn.GELU()
    return model


def without_bias(model: nn.Sequential) -> nn.Sequential:
    model[0].bias = None  # type: ignore[assignment]
    return model


def open_ended(model: nn.Sequential) -> nn.Sequential:
    return model.append(nn.ReLU())


@pytest.mark.parametrize("change", [capped, twice, smooth, without_bias, open_ended])
def test_what_is_not_known_is_left_to_autograd(
    change: Callable[[nn.Sequential], nn.Sequential],
) -> None:
    model = change(network())
    step = loss_and_gradients(model)
    assert not isinstance(step, WrittenOut)
    x, y = batch(0)
    loss, wanted = by_autograd(model, x, y)
    assert torch.equal(step(x, y), loss)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.grad, wanted[name]), name  # type: ignore[arg-type]


def test_frozen_weights_and_other_networks_are_not_known() -> None:
    chance = torch.Generator()
    two = TwoTask((FEATURES, 9), HIDDEN, (CLASSES, 2), shared=True, generator=chance)
    assert not is_plain(frozen(network()))
    assert not is_plain(two)
    assert not is_plain(nn.Linear(FEATURES, CLASSES))


def test_most_arms_of_the_report_are_trained_by_it() -> None:
    runs = [run for study in STUDIES.values() for run in study.arms.values()]
    small = [dataclasses.replace(run, hidden=(6, 5)) for run in runs if run.second is None]
    plain = [is_plain(build(run, (3, 4, 4), CLASSES)) and run.decay is None for run in small]
    assert sum(plain) / len(plain) > 0.8
