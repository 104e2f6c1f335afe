"""Hidden units in another order: nothing without a prior, another network with one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spatialnb import datasets
from spatialnb.config.run import Decay, Run, SecondTask
from spatialnb.priors.kernels import Exponential, Uniform
from spatialnb.priors.parametrization import attach
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record
from spatialnb.study import metrics
from spatialnb.training import networks
from spatialnb.training.interventions.permuted_units import permute_units
from spatialnb.training.loop import train

QUICK = Run(dataset="quick-digits", hidden=(16, 12), epochs=6, permuted_units=4)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_network_without_a_prior_computes_the_same_with_its_units_permuted() -> None:
    model = networks.mlp(6, (8, 7), 3, seeded())
    x = torch.randn(20, 6, generator=seeded())
    before, weight = model(x), model[0].weight.detach().clone()
    permute_units(model, seeded())
    assert torch.allclose(model(x), before, atol=1e-6)
    assert not torch.equal(model[0].weight, weight)


def test_a_network_with_a_prior_does_not_and_its_kernel_stays() -> None:
    model = attach(networks.mlp(6, (8, 7), 3, seeded()), Exponential())
    x = torch.randn(20, 6, generator=seeded())
    before, kernel = model(x), model[0].parametrizations.weight[0].strength.clone()
    permute_units(model, seeded())
    assert not torch.allclose(model(x), before, atol=1e-3)
    assert torch.equal(model[0].parametrizations.weight[0].strength, kernel)


@pytest.mark.parametrize("kernel", [Uniform(), Exponential(k=15.0)])
def test_the_accuracy_is_recorded_and_the_training_is_as_without(kernel: Uniform) -> None:
    run = replace(QUICK, schedule=Static(kernel=kernel))
    data = datasets.load(run.dataset)
    trained, plain = train(run, data), train(replace(run, permuted_units=None), data)
    assert trained.outcome["epochs"] == plain.outcome["epochs"]
    record = Record(kind="run", config=run.to_dict(), outcome=trained.outcome)
    permuted = metrics.measure(record, "permuted_accuracy")
    accuracy = metrics.measure(record, "accuracy")
    assert permuted == pytest.approx(accuracy, abs=0.3) or kernel != Uniform()
    assert permuted < accuracy - 5.0 or kernel == Uniform()


@pytest.mark.parametrize("setting", [{"network": "convolutional"}, {"second": SecondTask()}])
def test_other_networks_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="permuted_units: expected a multilayer perceptron"):
        replace(QUICK, **setting)


def test_a_target_that_keeps_the_sign_is_another_run_and_without_it_none() -> None:
    plain = Decay(target=Exponential())
    assert Run(decay=replace(plain, keep_sign=False)).id == Run(decay=plain).id
    assert Run(decay=replace(plain, keep_sign=True)).id != Run(decay=plain).id
