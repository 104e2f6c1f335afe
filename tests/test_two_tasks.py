"""Two tasks at once: what is shared, what is paired, and whose kernel acts when."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spatialnb import datasets
from spatialnb.config.run import Run, SecondTask
from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential, Uniform
from spatialnb.priors.schedules import Anneal, Static
from spatialnb.training import multitask

FIRST, OTHER = Static(kernel=Exponential()), Static(kernel=Exponential(k=30))
SHARED = Run(
    dataset="quick-colours",
    hidden=(16, 12, 8),
    epochs=2,
    schedule=FIRST,
    second=SecondTask(dataset="quick-text", schedule=OTHER),
)
SEPARATE = replace(SHARED, schedule=Static(), second=SecondTask(dataset="quick-text", shared=False))


@pytest.fixture(scope="module")
def data() -> tuple[datasets.Dataset, datasets.Dataset]:
    return datasets.load("quick-colours"), datasets.load("quick-text")


def built(run: Run, data: tuple[datasets.Dataset, datasets.Dataset]) -> torch.nn.Module:
    assert run.second is not None
    return multitask.build(run, run.second, data)


def test_the_same_configuration_gives_the_same_numbers(data) -> None:
    assert multitask.train(SHARED, data).outcome == multitask.train(SHARED, data).outcome


def test_both_tasks_are_learned_well_above_chance(data) -> None:
    epochs = multitask.train(replace(SHARED, hidden=(128, 64, 64), epochs=4), data).outcome[
        "epochs"
    ]
    assert epochs["test_accuracy"][-1] > 0.4  # ten classes
    assert epochs["test_accuracy:second"][-1] > 0.7  # two classes


def test_networks_that_share_layers_start_from_the_weights_of_those_that_do_not(data) -> None:
    shared, separate = built(SHARED, data), built(SEPARATE, data)
    for part in ("adapters", "heads"):
        for one, two in zip(getattr(shared, part), getattr(separate, part), strict=True):
            assert torch.equal(one.weight, two.weight)
    assert len(shared.trunks) == 1
    assert len(separate.trunks) == 2
    assert torch.equal(
        parametrization.learned_weight(shared.trunks[0][1]), separate.trunks[0][1].weight
    )
    assert not torch.equal(separate.trunks[0][1].weight, separate.trunks[1][1].weight)


def test_each_task_sees_its_own_kernel_on_the_shared_layers_and_none_elsewhere(data) -> None:
    model = built(SHARED, data)
    assert SHARED.second is not None
    strengths = multitask._strengths(model, SHARED, SHARED.second, 0.0)
    layers = [layer for layer, _ in parametrization.spatial_priors(model)]
    assert layers == [part for part in model.trunks[0] if isinstance(part, torch.nn.Linear)]
    for task, schedule in enumerate((FIRST, OTHER)):
        multitask._use(model, strengths[task])
        for layer in layers:
            expected = parametrization.SpatialPrior(
                "multiply", parametrization.layer_distance(*layer.weight.shape), torch.float32
            )
            expected.set_kernel(schedule.at(0.0))
            learned = parametrization.learned_weight(layer)
            assert torch.equal(layer.weight, learned * expected.strength)


def test_kernels_of_ones_change_nothing(data, monkeypatch: pytest.MonkeyPatch) -> None:
    ones = replace(SHARED, schedule=Static(), second=SecondTask(dataset="quick-text"))
    with_ones = multitask.train(ones, data).outcome
    monkeypatch.setattr(multitask.parametrization, "attach", lambda model, *_, **__: model)
    monkeypatch.setattr(multitask.parametrization, "step", lambda *_: None)
    assert multitask.train(ones, data).outcome == with_ones


def test_separate_networks_do_not_feel_the_other_task(data) -> None:
    """With the other task's labels swapped, the first one's numbers stay, to the last bit."""
    train = data[1].train
    swapped = replace(data[1], train=replace(train, y=1 - train.y))
    own, other = (
        multitask.train(SEPARATE, (data[0], second)).outcome["epochs"]
        for second in (data[1], swapped)
    )
    assert own["train_loss"] == other["train_loss"]
    assert own["train_loss:second"] != other["train_loss:second"]


def test_kernels_that_fade_are_gone_in_the_last_epoch(data) -> None:
    fading = replace(SHARED, schedule=Anneal(start=Exponential(), end=Uniform()))
    model = multitask.train(fading, data).model
    assert fading.second is not None
    last = multitask._strengths(model, fading, fading.second, 1.0)[0]
    assert all(torch.equal(strength, torch.ones_like(strength)) for strength in last)


def test_data_of_other_editions_are_refused(data) -> None:
    with pytest.raises(
        ValueError, match=r"the run needs the data .*quick-colours.*quick-text.*, got"
    ):
        multitask.train(SHARED, (data[1], data[0]))


def test_two_tasks_need_an_adapter_and_a_layer_to_share() -> None:
    with pytest.raises(ValueError, match="at least 2 widths, got"):
        replace(SHARED, hidden=(16,))


def test_a_loss_that_is_not_finite_ends_the_run_as_failed(data) -> None:
    outcome = multitask.train(replace(SHARED, learning_rate=1e30), data).outcome
    assert outcome["status"] == "failed"
    assert outcome["failed_epoch"] == 0
