"""Dead neurons: counted as they are defined, recorded where a run asks for them, and leaky ReLU."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from spatialnb import datasets
from spatialnb.config.run import Run, SecondTask
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record
from spatialnb.study import metrics
from spatialnb.training import networks
from spatialnb.training.backprop import is_plain
from spatialnb.training.build import build
from spatialnb.training.interventions import dead_units
from spatialnb.training.loop import train

QUICK = Run(dataset="quick-digits", hidden=(8, 6), epochs=2, dead_neurons=True)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def perceptron() -> nn.Sequential:
    return networks.mlp(4, (5, 3), 2, seeded())


def test_a_neuron_that_fires_for_no_sample_is_dead() -> None:
    model = perceptron()
    with torch.no_grad():
        model[0].bias[1] = -100.0  # dead by its bias
        model[2].weight[0] = 0.0  # at zero for every sample: not above it
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    before = nn.Sequential(*list(model)[:3])(x)
    second = float((before <= 0.0).all(0).double().mean())
    assert dead_units.dead(model, [x]) == [1 / 5, second]
    assert second >= 1 / 3


def test_one_sample_in_any_batch_keeps_a_neuron_alive() -> None:
    model = perceptron()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[:, 0] = 1.0
    away, near = torch.tensor([[-1.0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0]])
    assert dead_units.dead(model, [away, away])[0] == 1.0
    assert dead_units.dead(model, [away, near])[0] == 0.0
    assert dead_units.dead(model, [near, away])[0] == 0.0


def test_what_an_activation_does_to_numbers_below_zero_does_not_matter_to_its_own_layer() -> None:
    leaky = networks.mlp(4, (5,), 2, seeded(), nn.LeakyReLU)
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    assert dead_units.dead(leaky, [x]) == dead_units.dead(networks.mlp(4, (5,), 2, seeded()), [x])


@pytest.mark.parametrize("schedule", [Static(), Static(kernel=Exponential(k=15))])
def test_a_run_records_them_after_every_epoch_and_is_the_same_otherwise(schedule: Static) -> None:
    run = replace(QUICK, schedule=schedule)
    trained = train(run)
    epochs = dict(trained.outcome["epochs"])
    shares = [epochs.pop("dead:1"), epochs.pop("dead:2")]
    assert all(len(share) == run.epochs for share in shares)
    assert all(0.0 <= value <= 1.0 for share in shares for value in share)
    plain = train(replace(run, dead_neurons=None)).outcome
    assert epochs == plain["epochs"]
    record = Record(kind="run", config=run.to_dict(), outcome=trained.outcome)
    assert metrics.measure(record, "dead:2") == 100.0 * shares[1][-1]
    assert metrics.measure(record, "dead:1@0") == 100.0 * shares[0][0]
    assert metrics.metric("dead:2@1").title == "dead units after epoch 1, hidden layer 2"
    with pytest.raises(metrics.NotRecordedError):
        metrics.measure(replace(record, outcome=plain), "dead:2")


def test_the_last_share_is_that_of_the_trained_network() -> None:
    trained = train(replace(QUICK, learning_rate=0.3))
    data = datasets.load(QUICK.dataset)
    x = data.inputs(data.test, torch.arange(len(data.test.y))).flatten(1)
    shares = dead_units.dead(trained.model, [x])
    recorded = [trained.outcome["epochs"][f"dead:{layer}"][-1] for layer in (1, 2)]
    assert shares == recorded
    assert max(shares) > 0.0, "a learning rate of 0.3 was to kill some"


def test_leaky_relu_stands_in_the_place_of_relu_with_the_same_first_weights() -> None:
    relu, leaky = (build(replace(QUICK, activation=a), (1, 8, 8), 10) for a in (None, "leaky_relu"))
    assert [type(part) for part in leaky][1::2] == [nn.LeakyReLU] * 2
    assert leaky[1].negative_slope == 0.01
    assert is_plain(relu)
    assert not is_plain(leaky), "its gradients are not those that are written out"
    for one, other in zip(relu.parameters(), leaky.parameters(), strict=True):
        assert torch.equal(one, other)
    accuracies = [
        train(replace(QUICK, activation=a)).outcome["epochs"]["test_accuracy"]
        for a in (None, "leaky_relu")
    ]
    assert accuracies[0] != accuracies[1]


def test_no_dead_neurons_asked_for_is_the_run_that_never_heard_of_them() -> None:
    assert Run(dead_neurons=False) == Run()
    assert Run(dead_neurons=False).id == Run().id


@pytest.mark.parametrize("asked", [{"dead_neurons": True}, {"activation": "leaky_relu"}])
@pytest.mark.parametrize("other", [{"network": "convolutional"}, {"second": SecondTask()}])
def test_other_networks_are_refused(asked: dict[str, object], other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"multilayer perceptron and one task; leave out network"):
        Run(**asked, **other)


def test_an_unknown_activation_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'tanh'; known: leaky_relu\. Leave activation out"):
        Run(activation="tanh")
