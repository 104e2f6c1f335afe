"""The stacked engine: what the loop gives, up to the rounding of batched products."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from spatialnb import datasets
from spatialnb.config.run import Decay, Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors.actions import CAPS
from spatialnb.priors.kernels import Averaged, Exponential, Scaled, Shuffled, Uniform
from spatialnb.priors.schedules import Anneal, Sharpen, Static
from spatialnb.training import batched, loop, networks
from spatialnb.training.batched import Options

BASE = Run(dataset="quick-colours", hidden=(12, 8), batch_size=37, epochs=3)
STATIC, SHARPENING = Static(kernel=Exponential()), Sharpen(k_start=3, k_end=50)
MASKED = Sparse(zeros=0.9, places="nearest", layers="first")
CAP = Static(kernel=Scaled(kernel=Exponential()))

RUNS = {
    "none": BASE,
    "another seed": replace(BASE, seed=7),
    "static": replace(BASE, schedule=STATIC),
    "sharpening": replace(BASE, schedule=SHARPENING),
    "a scalar": replace(BASE, schedule=Static(kernel=Averaged(kernel=Exponential()))),
    "annealed to none": replace(
        BASE, schedule=Anneal(start=Shuffled(kernel=Exponential()), end=Uniform())
    ),
    "a falling rate": replace(BASE, learning_rate=0.01, learning_rate_decay="linear", seed=2),
    "another rate": replace(BASE, learning_rate=0.0005),
    "AdamW": replace(BASE, optimizer="adamw", weight_decay=0.3, learning_rate_decay="cosine"),
    "on the plane": replace(BASE, schedule=SHARPENING, positions="plane", permuted_pixels=3),
    "small weights": replace(BASE, initialisation="normal", initial_std=0.02),
    "masked": replace(BASE, sparse=MASKED, positions="plane"),
    "masked at random": replace(
        BASE, sparse=replace(MASKED, places="random", fan_in="dense"), schedule=STATIC, seed=7
    ),
    "permuted at the end": replace(BASE, permuted_units=2, schedule=SHARPENING, seed=3),
}
"""They stand in one stack."""

OTHERS = {
    **{action: {"action": action, "schedule": CAP} for action in CAPS},
    "normalised": {"action": "normalise", "schedule": STATIC},
    "decay": {"decay": Decay(target=Exponential(), weight=1e-2)},
    "decay that keeps signs": {"decay": Decay(target=Exponential(), weight=1e-2, keep_sign=True)},
    "convolutional": {"network": "convolutional", "schedule": SHARPENING},
    "transformer": {"network": "transformer", "schedule": STATIC},
    "leaky": {"activation": "leaky_relu"},
    "smoothed labels": {"label_smoothing": 0.1},
    "SGD": {"optimizer": "sgd", "learning_rate_decay": "linear", "schedule": STATIC},
    "SGD under a mask": {"optimizer": "sgd", "sparse": MASKED, "positions": "plane"},
    "unit": {"input_scaling": "unit"},
}
"""Each needs a stack of its own."""

LOSS, ACCURACY = 2e-6, 0.005
"""How far losses (relative) and accuracies (2 of 500 images) may lie from the loop's. Products are
summed in another order, which is a ten-millionth here; one image may lie that near a boundary."""


def near(ours: dict[str, Any], loops: dict[str, Any]) -> bool:
    assert ours["final"] == loops["final"]
    assert list(ours["epochs"]) == list(loops["epochs"])
    return all(
        torch.allclose(
            torch.tensor(values),
            torch.tensor(loops["epochs"][name]),
            rtol=0.0 if name.endswith("accuracy") else LOSS,
            atol=ACCURACY if name.endswith("accuracy") else 0.0,
        )
        for name, values in ours["epochs"].items()
    )


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    return datasets.load("quick-colours")


@pytest.fixture(scope="module")
def loops(data: datasets.Dataset) -> dict[str, loop.Trained]:
    return {name: loop.train(run, data) for name, run in RUNS.items()}


@pytest.mark.parametrize("adam", ["fused", "plain"])
def test_every_run_of_a_stack_comes_out_as_in_the_loop(
    adam: str, data: datasets.Dataset, loops: dict[str, loop.Trained]
) -> None:
    ours = batched.train(list(RUNS.values()), data, options=Options(adam=adam))
    for (name, theirs), one in zip(loops.items(), ours, strict=True):
        assert near(one.outcome, theirs.outcome), name
        assert one.made == {"runs": len(RUNS), "adam": adam, "graph": False, "precision": "float32"}
        different = torch.tensor(one.answers[data.name]) != torch.tensor(theirs.answers[data.name])
        assert different.sum() <= 2, name


def test_the_tolerance_tells_runs_apart(loops: dict[str, loop.Trained]) -> None:
    every = [trained.outcome for trained in loops.values()]
    assert not any(near({**b, "final": a["final"]}, a) for a in every for b in every if a is not b)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch compiles with a C++ compiler here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of its own parts
def test_what_torch_compiles_comes_out_as_in_the_loop(
    data: datasets.Dataset, loops: dict[str, loop.Trained]
) -> None:
    ours = batched.train(list(RUNS.values()), data, options=Options(adam="compiled"))
    for one, theirs in zip(ours, loops.values(), strict=True):
        assert near(one.outcome, theirs.outcome)


@pytest.mark.parametrize("setting", OTHERS.values(), ids=OTHERS)
def test_other_networks_actions_and_penalties_come_out_as_in_the_loop(
    setting: dict[str, Any], data: datasets.Dataset
) -> None:
    one = replace(BASE, epochs=2, train_size=300, **setting)
    runs = [
        replace(one, seed=seed, learning_rate=rate) for seed in (0, 4) for rate in (0.003, 0.001)
    ]
    for ours, run in zip(batched.train(runs, data), runs, strict=True):
        assert near(ours.outcome, loop.train(run, data).outcome), run.id


@pytest.mark.parametrize("sizes", [{"validation_size": 100}, {"train_size": 20}])
def test_held_out_and_fewer_images_are_those_of_the_loop(
    sizes: dict[str, int], data: datasets.Dataset
) -> None:
    run = replace(BASE, **sizes)  # type: ignore[arg-type]
    (ours,) = batched.train([run], data)
    assert near(ours.outcome, loop.train(run, data).outcome)


def test_what_stands_beside_a_run_does_not_change_it(data: datasets.Dataset) -> None:
    (alone,) = batched.train([RUNS["static"]], data)
    beside = batched.train([RUNS["sharpening"], RUNS["static"], RUNS["another seed"]], data)[1]
    assert near(alone.outcome, beside.outcome)


def test_runs_come_back_in_their_order(data: datasets.Dataset) -> None:
    arms = [BASE, RUNS["static"], RUNS["AdamW"]]
    runs = [replace(arm, seed=seed) for arm in arms for seed in (3, 1)]
    for ours, run in zip(batched.train(runs, data), runs, strict=True):
        assert near(ours.outcome, loop.train(run, data).outcome), run.id


def test_a_run_that_blows_up_fails_by_itself(data: datasets.Dataset) -> None:
    wild = replace(BASE, learning_rate=1e30)
    failed, ours = batched.train([wild, BASE], data)
    assert failed.outcome == loop.train(wild, data).outcome
    assert failed.outcome["status"] == "failed"
    assert not failed.answers
    assert near(ours.outcome, loop.train(BASE, data).outcome)


def test_epochs_are_reported_once_for_all_runs(data: datasets.Dataset) -> None:
    seen: list[int] = []
    batched.train([BASE, RUNS["static"]], data, seen.append)
    assert seen == [1, 2, 3]


def test_runs_that_share_no_program_and_other_data_are_refused(data: datasets.Dataset) -> None:
    with pytest.raises(ValueError, match="do not share a program"):
        batched.train([BASE, replace(BASE, epochs=2)], data)
    with pytest.raises(ValueError, match="the runs need the data 'mnist'"):
        batched.train([replace(BASE, dataset="mnist")], data)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"graph": True}, "graph: supported only on CUDA"),
        ({"precision": "tf32"}, "precision: tf32 is supported only on CUDA, got the device 'cpu'"),
        ({"device": "cuda", "precision": "half"}, "expected float32 or tf32, got 'half'"),
        ({"adam": "fast"}, "adam: expected fused, compiled, plain, got 'fast'"),
        ({"device": "meta", "adam": "fused"}, "adam: fused is supported only on cpu and cuda"),
    ],
)
def test_what_a_device_cannot_do_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**given)


# ── What a graph needs ──────────────────────────────────────────────────────────────────────────


class Written(TorchDispatchMode):
    """Every operation with its numbers and the shapes and the places of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(func), "a number was taken from the device"
        shown = tree_map_only(torch.Tensor, lambda one: tuple(one.shape), (args, kwargs))
        self.operations.append(f"{func} {shown}")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("adam", ["fused", "plain"])
@pytest.mark.parametrize("setting", [{}, OTHERS["convolutional"]], ids=["plain", "func"])
def test_every_step_is_the_same_operations_in_the_same_places(
    adam: str, setting: dict[str, Any], data: datasets.Dataset
) -> None:
    one = replace(BASE, train_size=300, schedule=SHARPENING, learning_rate_decay="linear")
    one = replace(one, **setting)
    runs = [one, replace(one, seed=1, learning_rate=0.001)]
    with torch.no_grad():
        stack = batched._Stack(runs, data, Options(adam=adam), print)
        places = []
        steps = []
        for epoch in (0, 1):
            stack._begin(stack._prepare(epoch))
            for _ in range(3):
                with Written() as written:
                    stack._step()
                steps.append(written.operations)
            slots = [(slot.weight, slot.strength, slot.effective) for slot in stack.networks.slots]
            kept = [stack.orders, stack.at, stack.total, *stack.optimizer._tables, *sum(slots, ())]
            places.append([part.data_ptr() for part in kept if part is not None])
    assert all(step == steps[0] for step in steps)
    assert places[0] == places[1]


def test_a_stack_without_a_prior_multiplies_by_none(data: datasets.Dataset) -> None:
    stack = batched._Stack([BASE, replace(BASE, seed=1)], data, Options(), print)
    assert not stack.kernels.values
    assert all(slot.effective is None for slot in stack.networks.slots)


def test_what_runs_have_in_common_is_computed_once(
    data: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    initialise = networks.initialise

    def counted(run: Run, *rest: Any) -> Any:
        drawn.append(run.seed)
        return initialise(run, *rest)

    monkeypatch.setattr(networks, "initialise", counted)
    runs = [replace(BASE, seed=s, learning_rate=lr) for s in (0, 1) for lr in (0.001, 0.002)]
    runs = [replace(run, schedule=STATIC) for run in runs]
    stack = batched._Stack(runs, data, Options(), print)
    assert sorted(drawn) == [0, 1]
    stack.kernels.prepare(0.0)
    (first,) = stack.kernels._computed.values()
    stack.kernels.prepare(1.0)
    (again,) = stack.kernels._computed.values()
    assert again is first


def test_inputs_that_are_standardised_once_are_the_same_bits(data: datasets.Dataset) -> None:
    index = torch.tensor([3, 0, 3, 999])
    once, each = (batched._inputs(data, once=once)(index) for once in (True, False))
    assert torch.equal(once, each)


def test_where_nothing_compiles_torchs_own_step_is_taken_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(update: Any) -> Any:
        raise RuntimeError("no compiler\nmore")

    said: list[str] = []
    monkeypatch.setattr(batched, "compiled", refuse)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "ones", lambda *size, device: torch.zeros(*size))
        assert batched._best_adam(torch.device("cuda"), said.append) == "fused"
    assert said == [
        "Adam uses torch's fused kernel, once per learning rate: compiling failed (no compiler)"
    ]
    assert batched._best_adam(torch.device("cpu"), pytest.fail) == "fused"
    assert batched._best_adam(torch.device("meta"), pytest.fail) == "plain"
