"""Your own interventions, networks, optimisers and activations: one class or function each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spatialnb import datasets
from spatialnb.config import components, intervention, lr_schedules, user_definitions
from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Decay, Run
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.execution import runs
from spatialnb.priors.kernels import Uniform
from spatialnb.priors.parametrization import DecayTarget
from spatialnb.priors.schedules import Sharpen
from spatialnb.records.store import RecordError, Store
from spatialnb.training import fingerprint, loop, networks
from spatialnb.training.build import build
from spatialnb.training.context import Training
from spatialnb.training.interventions import table

RUN = Run(dataset="quick-digits", hidden=(12, 8), epochs=3, train_size=100)


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    return datasets.load(RUN.dataset)


@pytest.fixture(autouse=True)
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(
        intervention.interventions, "_kinds", dict(intervention.interventions._kinds)
    )
    for registry in (components.networks, components.activations, components.optimizers):
        monkeypatch.setattr(registry, "_functions", dict(registry._functions))
    monkeypatch.setattr(lr_schedules.decays, "_functions", dict(lr_schedules.decays._functions))


def test_an_intervention_of_one_class_acts_at_every_hook_in_order(data: datasets.Dataset) -> None:
    calls: list[str] = []

    @intervention.register("test-noting")
    @dataclass(frozen=True, kw_only=True)
    class Noting(Intervention):
        factor: float = 2.0

        def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
            calls.append(f"prepare {shape}")

        def start_epoch(self, progress: float) -> None:
            calls.append(f"epoch {progress}")

        def penalty(self) -> Tensor:
            calls.append("penalty")
            return torch.zeros(())

        def before_step(self) -> None:
            calls.append("before")

        def after_step(self) -> None:
            calls.append("after")

        def measure(self) -> dict[str, float]:
            calls.append("measure")
            return {"twice": self.factor * self.training.run.epochs}

        def finish(self, outcome: dict[str, object]) -> None:
            calls.append("finish")
            outcome["noted"] = True

    run = replace(RUN, interventions=(Noting(),), epochs=2, batch_size=50)
    outcome = loop.train(run, data).outcome
    step = ["penalty", "before", "after"]
    epoch = [*step, *step, "measure"]
    assert calls == ["prepare (1, 8, 8)", "epoch 0.0", *epoch, "epoch 1.0", *epoch, "finish"]
    assert outcome["epochs"]["twice"] == [4.0, 4.0]
    assert outcome["noted"]
    assert Run.from_dict(run.to_dict()) == run


def test_without_interventions_nothing_in_the_id_says_so() -> None:
    assert "interventions" not in RUN.to_dict()
    assert replace(RUN, interventions=()).id == RUN.id


def test_a_step_that_one_part_refuses_is_left_out_and_the_others_are_asked(
    data: datasets.Dataset,
) -> None:
    asked = []

    @intervention.register("test-refusing")
    @dataclass(frozen=True, kw_only=True)
    class Refusing(Intervention):
        def before_step(self) -> bool:
            return False

    @intervention.register("test-asked")
    @dataclass(frozen=True, kw_only=True)
    class Asked(Intervention):
        def before_step(self) -> None:
            asked.append(True)

    run = replace(RUN, interventions=(Refusing(), Asked()), epochs=1)
    trained = loop.train(run, data)
    before = networks.initialise(run, data.shape, data.classes)
    assert asked == [True]
    for weight, same in zip(trained.model.parameters(), before.parameters(), strict=True):
        assert torch.equal(weight, same)


def test_a_penalty_of_one_s_own_is_the_package_s_decay_bit_for_bit(data: datasets.Dataset) -> None:
    target = Uniform(value=0.0)

    class Decaying(Part):
        def __init__(self, decay: DecayTarget) -> None:
            self.decay = decay

        def penalty(self) -> Tensor:
            return self.decay()

    @intervention.register("test-decay")
    @dataclass(frozen=True, kw_only=True)
    class Own(Intervention):
        def begin(self, training: Training) -> Part:
            return Decaying(DecayTarget(training.model, target, 0.01))

    ours = loop.train(replace(RUN, interventions=(Own(),)), data).outcome
    theirs = loop.train(replace(RUN, decay=Decay(target=target, weight=0.01)), data).outcome
    theirs["epochs"].pop("target_distance")
    assert ours["epochs"] == theirs["epochs"]


def test_every_setting_that_intervenes_has_its_intervention() -> None:
    asked = {
        "sparse": Sparse(zeros=0.5),
        "prune": Prune(by=("random",), zeros=(0.5,)),
        "decay": Decay(target=Uniform(value=0.0)),
        "folded": ("update",),
        "dead_neurons": True,
        "permuted_units": 2,
        "augmentation": "crop_flip",
        "dropout": 0.5,
        "rotation": True,
        "learned_rotation": True,
        "mask_locality": True,
        "reparametrisation": "weight_norm",
        "schedule": Sharpen(k_start=3.0, k_end=9.0),
    }
    for name, value in asked.items():
        kinds = [type(one).__name__ for one in table.asked_by(replace(RUN, **{name: value}))]
        assert len(kinds) == 1, name
    assert table.asked_by(RUN) == []


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("method", ["static", "set", "rigl"])
def test_zeros_stay_zeros_under_every_optimiser(
    optimizer: str, method: str, data: datasets.Dataset
) -> None:
    decay = 0.1 if optimizer == "adamw" else None
    sparse = Sparse(zeros=0.5, method=method)
    run = replace(RUN, optimizer=optimizer, weight_decay=decay, sparse=sparse, learning_rate=0.01)
    trained = loop.train(run, data)
    weights = [layer.weight for _, layer in networks.linear_layers(trained.model)]
    left = [int((weight != 0.0).sum()) for weight in weights]
    start = build(run, data.shape, data.classes)
    there = [int((layer.weight != 0.0).sum()) for _, layer in networks.linear_layers(start)]
    # A weight of a pixel that is black in every image stays at the zero at which it grew.
    assert all(0.8 * count < now <= count for now, count in zip(left, there, strict=True))
    assert trained.outcome["final"]["zeros"] == pytest.approx(0.5, abs=0.1)


# ── By name: networks, activations, optimisers, decays ──────────────────────────────────────────

OWN = """
import torch
from torch import nn
from spatialnb.config import components, lr_schedules
from spatialnb.training.networks import linear

@components.networks.register("own-residual")
def residual(shape, hidden, classes, generator):
    features = 1
    for size in shape:
        features *= size
    return nn.Sequential(
        linear(features, hidden[0], generator), nn.Tanh(), linear(hidden[0], classes, generator)
    )

@components.activations.register("own-gelu")
def gelu():
    return nn.GELU()

@components.optimizers.register("own-rprop")
def rprop(parameters, run):
    return torch.optim.{optimizer}(parameters, lr=run.learning_rate)

@lr_schedules.register("own-step")
def step(done):
    return 1.0 if done < 0.5 else 0.1
"""
ASKED = {
    "network": "own-residual",
    "activation": "own-gelu",
    "optimizer": "own-rprop",
    "learning_rate_decay": "own-step",
}


@pytest.fixture
def own(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN.format(optimizer="Rprop"), encoding="utf-8")
    user_definitions.load(path)


def test_runs_are_trained_with_parts_of_one_s_own_in_worker_processes(
    own: None, data: datasets.Dataset, tmp_path: Path
) -> None:
    base = replace(RUN, schedule=Sharpen(k_start=3.0, k_end=9.0))
    grid = [replace(base, **{setting: name}) for setting, name in ASKED.items()]
    done = runs.complete(grid, store=Store(tmp_path / "store"), progress=False)
    plain = loop.train(base, data).outcome["epochs"]
    for run in grid:
        record = done.run(run)
        assert record.outcome["status"] == "finished"
        assert record.provenance["definition"] == fingerprint.definition(run)
        assert record.outcome["epochs"] == loop.train(run, data).outcome["epochs"] != plain


def test_a_record_made_with_another_optimiser_of_the_name_is_refused(
    own: None, tmp_path: Path
) -> None:
    run = replace(RUN, optimizer="own-rprop")
    store = Store(tmp_path / "store")
    runs.complete([run], store=store, progress=False)
    del components.optimizers._functions["own-rprop"]
    path = tmp_path / "other.py"
    source = OWN.format(optimizer="Adagrad")
    start = source.index("@components.optimizers")
    end = source.index("@lr_schedules")
    path.write_text(
        "import torch\nfrom spatialnb.config import components\n" + source[start:end],
        encoding="utf-8",
    )
    user_definitions.load(path)
    with pytest.raises(RecordError, match=r"definition of your kernel, .* differs"):
        runs.complete([run], store=store, progress=False)


@pytest.mark.parametrize("setting", ASKED)
def test_a_name_that_is_not_registered_is_refused_with_those_there_are(setting: str) -> None:
    with pytest.raises(ValueError, match=f"unknown {setting} 'nowhere'; known: "):
        replace(RUN, **{setting: "nowhere"})


def test_a_name_of_the_package_s_own_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="optimizer name 'adam' is taken by spatialnb"):
        components.optimizers.register("adam")(lambda parameters, run: None)


def test_parts_are_bound_one_by_one_to_their_training(data: datasets.Dataset) -> None:
    @intervention.register("test-bound")
    @dataclass(frozen=True, kw_only=True)
    class Bound(Intervention):
        def measure(self) -> dict[str, float]:
            return {"seed": float(self.training.run.seed)}

    shared = Bound()
    for seed, _ in itertools.product((3, 4), range(2)):
        run = replace(RUN, seed=seed, epochs=1, interventions=(shared,))
        assert loop.train(run, data).outcome["epochs"]["seed"] == [float(seed)]
    assert not hasattr(shared, "training")
