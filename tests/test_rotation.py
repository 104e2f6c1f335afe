"""How weights move: measured by hand, and other ways to write or to update them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from spatialnb import datasets
from spatialnb.config.run import Run, SecondTask
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record
from spatialnb.study import metrics
from spatialnb.training import networks
from spatialnb.training.build import build
from spatialnb.training.interventions.reparametrised import WeightCompander
from spatialnb.training.interventions.rotation import angle, learned_weights
from spatialnb.training.loop import train
from spatialnb.training.optimizers import Madam

QUICK = Run(dataset="quick-digits", hidden=(8, 6), epochs=2)


def test_the_angle_is_the_mean_over_rows() -> None:
    before = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    after = torch.tensor([[3.0, 0.0], [0.0, 5.0], [0.0, -1.0], [0.0, 0.0]])
    assert angle(before, after) == pytest.approx((0.0 + 90.0 + 180.0 + 90.0) / 4)


@pytest.mark.parametrize("schedule", [Static(), Static(kernel=Exponential(k=15.0))])
def test_what_is_recorded_is_that_of_the_effective_weights(schedule: Static) -> None:
    run = replace(QUICK, schedule=schedule, rotation=True, epochs=1)
    data = datasets.load(run.dataset)
    before = networks.effective_weights(build(run, data.shape, data.classes))
    trained, plain = train(run, data), train(replace(run, rotation=None), data)
    after = networks.effective_weights(trained.model)
    record = Record(kind="run", config=run.to_dict(), outcome=trained.outcome)
    for layer in ("0", "2", "4"):
        old, new = before[layer], after[layer]
        assert metrics.measure(record, f"angle:{layer}") == pytest.approx(angle(old, new))
        assert metrics.measure(record, f"norm:{layer}") == pytest.approx(
            new.norm(dim=1).mean().item()
        )
        flips = (old.sign() != new.sign()).double().mean().item()
        assert metrics.measure(record, f"sign_flips:{layer}") == pytest.approx(100.0 * flips)
    accuracy = trained.outcome["epochs"]["test_accuracy"]
    assert accuracy == plain.outcome["epochs"]["test_accuracy"]


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": Static(kernel=Exponential(k=15.0))},
        {"reparametrisation": "learned_scalar"},
        {"reparametrisation": "weight_norm"},
        {"reparametrisation": "weight_compander"},
    ],
)
def test_learned_weights_are_measured_beside_the_effective_ones(settings: dict[str, Any]) -> None:
    run = replace(QUICK, **settings, rotation=True, learned_rotation=True, epochs=1)
    data = datasets.load(run.dataset)
    model = build(run, data.shape, data.classes)
    before, effective = learned_weights(model), networks.effective_weights(model)
    trained = train(run, data)
    after = learned_weights(trained.model)
    found = trained.outcome["epochs"]
    record = Record(kind="run", config=run.to_dict(), outcome=trained.outcome)
    for layer in ("0", "2", "4"):
        old, new = before[layer], after[layer]
        assert metrics.measure(record, f"learned_angle:{layer}") == pytest.approx(angle(old, new))
        assert found[f"learned_norm:{layer}"] == [pytest.approx(new.norm(dim=1).mean().item())]
        # A scalar, or one per row, turns nothing.
        same = settings.get("reparametrisation") in ("weight_norm", "learned_scalar")
        turned = found[f"angle:{layer}"][0]
        assert (found[f"learned_angle:{layer}"][0] == pytest.approx(turned, abs=1e-3)) == same
    if "reparametrisation" not in settings:
        assert not torch.equal(before["0"], effective["0"])
    alone = train(replace(run, rotation=None), data).outcome["epochs"]
    assert "angle:0" not in alone
    assert alone["learned_angle:0"] == found["learned_angle:0"]


def test_an_epoch_is_measured_from_the_one_before_and_the_start_from_the_first() -> None:
    found = train(replace(QUICK, rotation=True, epochs=3)).outcome["epochs"]
    assert found["angle:0"][0] == found["angle_from_start:0"][0]
    assert found["angle_from_start:0"][2] != pytest.approx(found["angle:0"][2])


def test_weight_norm_starts_at_the_drawn_weights_and_keeps_length_and_direction_apart() -> None:
    run = replace(QUICK, reparametrisation="weight_norm")
    data = datasets.load(run.dataset)
    ours, plain = (
        networks.effective_weights(build(one, data.shape, data.classes)) for one in (run, QUICK)
    )
    for layer, weight in plain.items():
        assert torch.allclose(ours[layer], weight, atol=1e-6)
    names = {name for name, _ in build(run, data.shape, data.classes).named_parameters()}
    assert "0.parametrizations.weight.original0" in names
    accuracy = train(run, data).outcome["epochs"]["test_accuracy"]
    assert accuracy[-1] > accuracy[0] or accuracy[-1] > 0.3


def test_a_learned_scalar_starts_where_the_fixed_one_stays_and_learns() -> None:
    run = replace(QUICK, reparametrisation="learned_scalar")
    fixed = replace(QUICK, schedule=Static(kernel=Averaged(kernel=Exponential())))
    data = datasets.load(run.dataset)
    ours, theirs = (
        networks.effective_weights(build(one, data.shape, data.classes)) for one in (run, fixed)
    )
    for layer, weight in theirs.items():
        assert torch.allclose(ours[layer], weight, atol=1e-6)
    before = build(run, data.shape, data.classes).state_dict()
    after = train(run, data).model.state_dict()
    name = "0.parametrizations.weight.0.scalar"
    assert not torch.equal(before[name], after[name])


def test_a_weight_compander_leaves_small_weights_and_limits_large_ones() -> None:
    compander = WeightCompander(0.5)
    weight = torch.tensor([[0.001, -0.001, 100.0, -100.0]])
    effective = compander(weight)
    assert torch.allclose(effective[0, :2], weight[0, :2], rtol=1e-4)
    limit = 0.5 * math.pi / 2.0
    assert torch.allclose(effective[0, 2:], torch.tensor([limit, -limit]), rtol=1e-2)
    assert (effective.abs() < limit).all()


def test_the_compander_of_a_layer_bends_by_its_fan_in_and_learns() -> None:
    run = replace(QUICK, reparametrisation="weight_compander")
    data = datasets.load(run.dataset)
    model = build(run, data.shape, data.classes)
    fan_in = learned_weights(model)["2"].shape[1]
    before, after = model.state_dict(), train(run, data).model.state_dict()
    for name in ("height", "width"):
        name = f"2.parametrizations.weight.0.{name}"
        assert before[name].item() == pytest.approx(3.0 / math.sqrt(fan_in))
        assert not torch.equal(before[name], after[name])


def test_madam_multiplies_weights_and_keeps_their_signs() -> None:
    weight = torch.nn.Parameter(torch.tensor([[0.5, -0.5, 0.25]]))
    bias = torch.nn.Parameter(torch.zeros(2))
    optimizer = Madam([weight, bias], lr=0.1)
    weight.grad, bias.grad = torch.tensor([[2.0, 2.0, 0.0]]), torch.tensor([1.0, -3.0])
    before = weight.detach().clone()
    optimizer.step()
    # The gradient over its own root mean square is 1 in the first step.
    expected = before * torch.tensor([[math.exp(-0.1), math.exp(0.1), 1.0]])
    assert torch.allclose(weight.detach(), expected)
    assert torch.allclose(bias.detach(), torch.tensor([-0.1, 0.1]))
    for _ in range(50):
        weight.grad = torch.tensor([[-1.0, 1.0, -1.0]])
        optimizer.step()
    largest = 3.0 * before.square().mean().sqrt()
    assert torch.equal(weight.sign(), before.sign())
    assert weight.abs().max() <= largest * 1.000001


def test_no_weight_changes_its_sign_under_madam() -> None:
    run = replace(QUICK, optimizer="madam", learning_rate=0.01, rotation=True)
    found = train(run).outcome["epochs"]
    assert found["sign_flips:0"] == [0.0, 0.0]
    assert found["angle:0"][0] > 0.5


def test_not_asked_for_is_the_run_that_never_heard_of_it() -> None:
    assert Run(rotation=False, learned_rotation=False).id == Run().id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotation": True, "second": SecondTask()}, "rotation: expected one task"),
        ({"learned_rotation": True, "second": SecondTask()}, "learned_rotation: expected one"),
        ({"reparametrisation": "polar"}, "unknown reparametrisation 'polar'"),
        (
            {"reparametrisation": "weight_norm", "schedule": Static(kernel=Exponential())},
            "reparametrisation: expected a network without a prior",
        ),
        (
            {"reparametrisation": "weight_norm", "folded": ("update",)},
            "reparametrisation: expected no folded",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **settings)
