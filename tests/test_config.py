"""A run's whole identity, and the id that is made from it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb.config import intervention
from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Decay, Run, SecondTask, canonical, digest
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors.folded_optimizer import PARTS
from spatialnb.priors.kernels import (
    Averaged,
    Blend,
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Shuffled,
    Uniform,
)
from spatialnb.priors.schedules import Anneal, Reshuffled, Schedule, Sharpen, Static

PROPERTY = settings(deadline=None, max_examples=80)

# ── Ids that recorded runs are found by: a change here orphans every published record ───────────

CANONICAL = (
    '{"action":"multiply","batch_size":128,"dataset":"cifar10-jpeg","epochs":12,'
    '"hidden":[256,128],"learning_rate":0.003,"optimizer":"adam","recipe":1,'
    '"schedule":{"kernel":{"kind":"none","value":1.0},"kind":"static"},"schema":1,"seed":0}'
)
MNIST = Run(dataset="mnist", epochs=5)
SHUFFLED = Shuffled(kernel=Exponential(), seed=1000)
MEAN = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
PINNED = [
    (Run(), "684b3e46c80a96df"),
    (Run(seed=1), "e776d35b9c7b8ad1"),
    (Run(train_size=10_000), "3564ba8e710f1247"),
    (MNIST, "c554135b21d4a835"),
    (replace(MNIST, schedule=Static(kernel=Linear(floor=0.0))), "21bddeeba950b9c3"),
    (Run(schedule=Sharpen(k_start=3, k_end=15)), "01c752dad66c8d94"),
    (Run(action="cap", schedule=Static(kernel=SHUFFLED)), "16ac964638e3cbd0"),
    (Run(decay=Decay(target=Exponential())), "d9b22a43488a6ca2"),
    (Run(learning_rate_decay="linear"), "29249b875682327c"),
    (Run(schedule=MEAN), "7d39ad7de2346fd7"),
    (Run(schedule=MEAN, folded=("update",)), "ffdf4ab13c926b7d"),
    (Run(schedule=MEAN, folded=("shrink",)), "c984879fa5dae2e6"),
    (Run(schedule=Reshuffled(schedule=Sharpen(k_start=3, k_end=50))), "b713ee40ebc28bfe"),
]


def shuffled_keys(data: Any, order: random.Random) -> Any:
    """The same JSON data with the keys of every object in another order."""
    if isinstance(data, dict):
        keys = list(data)
        order.shuffle(keys)
        return {key: shuffled_keys(data[key], order) for key in keys}
    return [shuffled_keys(item, order) for item in data] if isinstance(data, list) else data


def test_the_canonical_text_of_the_reference_run_is_pinned() -> None:
    assert canonical(Run().to_dict()) == CANONICAL


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_does_not_change_the_canonical_text(seed: int) -> None:
    data = shuffled_keys(Run().to_dict(), random.Random(seed))
    assert canonical(data) == CANONICAL
    assert Run.from_dict(data).id == Run().id


@pytest.mark.parametrize(("run", "run_id"), PINNED, ids=[run_id for _, run_id in PINNED])
def test_ids_are_pinned(run: Run, run_id: str) -> None:
    assert run.id == run_id


def test_an_id_is_the_start_of_the_sha256_of_the_canonical_text() -> None:
    assert Run().id == digest(json.loads(CANONICAL))[:16]
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


# ── Any runs ────────────────────────────────────────────────────────────────────────────────────

floors = st.floats(0.0, 0.99)
rates = st.floats(1e-3, 1e3)
simple: st.SearchStrategy[Kernel] = st.one_of(
    st.builds(Uniform, value=st.floats(0.0, 10.0) | st.just(-0.0)),
    st.builds(Linear, floor=floors | st.just(-0.0)),
    st.builds(Exponential, k=rates, floor=floors),
    st.builds(Gaussian, width=rates, floor=floors),
    st.builds(Inverse, floor=floors),
)
kernels = st.one_of(
    simple,
    st.builds(Shuffled, kernel=simple, seed=st.integers(0, 2**40)),
    st.builds(Averaged, kernel=simple, power=st.sampled_from([1, 2])),
    st.builds(Blend, start=simple, end=simple, weight=st.floats(0.0, 1.0)),
)
schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Static, kernel=kernels),
    st.builds(Anneal, start=kernels, end=kernels),
    st.builds(Sharpen, k_start=rates, k_end=rates),
    st.builds(Reshuffled, schedule=st.builds(Sharpen, k_start=rates, k_end=rates)),
)
runs = st.builds(
    Run,
    dataset=st.sampled_from(["mnist", "cifar10-jpeg", "quick-digits"]),
    train_size=st.none() | st.integers(1, 50_000),
    hidden=st.lists(st.integers(1, 4096), max_size=4).map(tuple),
    action=st.sampled_from(["multiply", "normalise", "cap"]),
    schedule=schedules,
    decay=st.none() | st.builds(Decay, target=kernels, weight=st.floats(0.0, 1.0)),
    learning_rate=st.floats(1e-8, 1e30),
    learning_rate_decay=st.none() | st.sampled_from(["linear", "cosine"]),
    sparse=st.none()
    | st.builds(
        Sparse,
        zeros=st.floats(0.01, 0.99),
        method=st.sampled_from(("static", "set", "rigl")),
        places=st.sampled_from(("random", "band", "nearest")),
    ),
    batch_size=st.integers(1, 10_000),
    epochs=st.integers(1, 1000),
    seed=st.integers(0, 2**31 - 1),
)


@PROPERTY
@given(runs)
def test_a_run_comes_back_from_json_as_it_was(run: Run) -> None:
    back = Run.from_dict(json.loads(json.dumps(run.to_dict())))
    assert back == run
    assert back.id == run.id
    assert back.to_dict() == run.to_dict()


@PROPERTY
@given(runs, runs)
def test_two_runs_have_one_id_exactly_where_they_are_equal(first: Run, second: Run) -> None:
    assert (first.id == second.id) == (first == second)


@PROPERTY
@given(runs, st.randoms(use_true_random=False))
def test_an_id_is_sixteen_hexadecimal_digits_and_free_of_key_order(
    run: Run, order: random.Random
) -> None:
    assert len(run.id) == 16
    assert set(run.id) <= set("0123456789abcdef")
    assert digest(shuffled_keys(run.to_dict(), order))[:16] == run.id


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@PROPERTY
@given(
    st.sampled_from(
        [
            *Run().to_dict(),
            *("decay", "train_size", "validation_size", "folded", "sparse", "prune", "asymmetric"),
        ]
    ),
    json_data,
)
def test_a_field_of_any_other_json_is_read_or_refused_with_a_value_error(
    name: str, value: Any
) -> None:
    try:
        run = Run.from_dict({**Run().to_dict(), name: value})
    except ValueError:
        return
    assert Run.from_dict(run.to_dict()) == run


def places(plain: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything inside plain data."""
    inside: Any = plain.items() if isinstance(plain, dict) else ()
    inside = enumerate(plain) if isinstance(plain, list) else inside
    return [way for key, part in inside for way in [(*here, key), *places(part, (*here, key))]]


def changed(plain: Any, way: tuple[Any, ...], how: str, value: Any) -> Any:
    """Plain data with the part at the end of a way replaced, left out, wrapped or renamed."""
    if len(way) > 1:
        inside = plain[way[0]]
        new = changed(inside, way[1:], how, value)
        return (
            {**plain, way[0]: new}
            if isinstance(plain, dict)
            else [new if place == way[0] else part for place, part in enumerate(plain)]
        )
    items = list(plain.items() if isinstance(plain, dict) else enumerate(plain))
    left = [(key, part) for key, part in items if key != way[0]]
    old = plain[way[0]]
    new = {"replaced": value, "wrapped": [old], "inside": {"kind": old}}.get(how, old)
    if how != "left out":
        left.append((f"{way[0]}x" if how == "renamed" else way[0], new))
    return dict(left) if isinstance(plain, dict) else [part for _, part in left]


@PROPERTY
@given(
    runs,
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(["replaced", "left out", "wrapped", "inside", "renamed"]),
            json_data,
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_configuration_changed_anywhere_is_another_run_or_a_value_error(
    run: Run, changes: list[tuple[int, str, Any]]
) -> None:
    plain: Any = run.to_dict()
    for number, how, value in changes:
        ways = places(plain)
        plain = changed(plain, ways[number % len(ways)], how, value)
    try:
        other = Run.from_dict(plain)
    except ValueError:
        return
    assert Run.from_dict(json.loads(json.dumps(other.to_dict()))) == other
    assert (other.id == run.id) == (other == run)


@PROPERTY
@given(json_data)
def test_any_other_json_is_no_run(data: Any) -> None:
    with pytest.raises(ValueError, match="run"):
        Run.from_dict(data)


@dataclass(frozen=True, kw_only=True)
class Nudge(Intervention):
    size: float = 0.5

    def check(self, run: Run) -> None:
        if run.epochs < 2:
            raise ValueError("nudge: expected at least 2 epochs")


@pytest.fixture(scope="module", autouse=True)
def _nudge() -> Iterator[None]:
    """An intervention of the tests' own, which no other file sees."""
    kinds = intervention.interventions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "_kinds", dict(kinds._kinds))
        intervention.register("test-nudge")(Nudge)
        yield


# ── What changes an id, and what does not ───────────────────────────────────────────────────────

OTHER: dict[str, Any] = {
    "dataset": "cifar10",
    "train_size": 1,
    "validation_size": 1,
    "hidden": (128, 256),
    "action": "cap",
    "schedule": Static(kernel=Linear()),
    "decay": Decay(target=Uniform(value=0.0)),
    "second": SecondTask(),
    "activation": "leaky_relu",
    "dead_neurons": True,
    "permuted_units": 3,
    "augmentation": "crop_flip",
    "dropout": 0.5,
    "label_smoothing": 0.1,
    "rotation": True,
    "learned_rotation": True,
    "mask_locality": True,
    "reparametrisation": "weight_norm",
    "learning_rate": 0.001,
    "learning_rate_decay": "linear",
    "folded": ("update",),
    "network": "convolutional",
    "optimizer": "sgd",
    "positions": "plane",
    "sparse": Sparse(zeros=0.5),
    "prune": Prune(by=("magnitude",), zeros=(0.5,)),
    "asymmetric": Asymmetric(),
    "interventions": (Nudge(),),
    "initialisation": "torch_default",
    "input_scaling": "unit",
    "batch_size": 64,
    "epochs": 13,
    "seed": 1,
}
TOGETHER = {"permuted_pixels", "weight_decay", "initial_std"}  # a field that needs another


def test_every_field_is_tried_below() -> None:
    assert {field.name for field in dataclasses.fields(Run)} == OTHER.keys() | TOGETHER


@pytest.mark.parametrize("name", OTHER)
def test_any_field_changed_changes_the_id(name: str) -> None:
    assert replace(Run(), **{name: OTHER[name]}).id != Run().id


def test_permuted_pixels_are_another_run_on_the_plane() -> None:
    runs = [Run(positions="plane", permuted_pixels=seed) for seed in (None, 0, 1)]
    assert len({run.id for run in runs}) == 3


def test_weight_decay_is_another_run_under_adamw() -> None:
    runs = [Run(optimizer="adamw", weight_decay=decay) for decay in (0.0, 0.01, 0.1)]
    assert len({run.id for run in (Run(), *runs)}) == 4


@pytest.mark.parametrize("name", Run().to_dict())
def test_every_written_entry_counts(name: str) -> None:
    data = Run().to_dict()
    del data[name]
    assert digest(data)[:16] != Run().id


@pytest.mark.parametrize(
    "schedule",
    [
        Static(kernel=Linear(floor=0.0)),
        Static(kernel=Inverse()),
        Static(kernel=Exponential()),
        Static(kernel=Exponential(k=15)),
        Static(kernel=Exponential(floor=0.1)),
        Static(kernel=SHUFFLED),
        Static(kernel=Shuffled(kernel=Exponential(), seed=2000)),
        Anneal(start=Linear(), end=Uniform()),
        Anneal(start=Uniform(), end=Linear()),
        Sharpen(k_start=3, k_end=15),
        Sharpen(k_start=3, k_end=10),
    ],
)
def test_what_is_inside_a_field_counts_too(schedule: Schedule) -> None:
    base = Run(schedule=Static(kernel=Linear()))
    assert replace(base, schedule=schedule).id != base.id


def test_a_whole_number_for_a_float_gives_the_same_id() -> None:
    assert Run(learning_rate=1).id == Run(learning_rate=1.0).id
    whole, point = (Run(schedule=Static(kernel=Exponential(k=k))) for k in (15, 15.0))
    assert whole.id == point.id
    data = point.to_dict()
    data["schedule"]["kernel"]["k"] = 15
    assert Run.from_dict(data).id == point.id


def test_a_field_that_is_none_does_not_show() -> None:
    assert not {"train_size", "decay"} & Run().to_dict().keys()
    assert {"train_size", "decay"} < Run(
        train_size=5, decay=Decay(target=Linear())
    ).to_dict().keys()


def test_the_parts_of_a_folded_prior_have_one_order() -> None:
    run = Run(folded=PARTS[::-1])
    assert run.folded == PARTS
    assert run.id == Run(folded=PARTS).id
    assert Run.from_dict(run.to_dict()) == run


def test_every_choice_of_parts_is_another_run() -> None:
    chosen = [parts for n in range(1, 5) for parts in itertools.combinations(PARTS, n)]
    assert len({Run(folded=parts).id for parts in chosen}) == 15


def test_a_list_of_widths_is_the_same_run() -> None:
    assert Run(hidden=[256, 128]).id == Run().id  # type: ignore[arg-type]


def test_the_levels_of_pruning_have_one_order() -> None:
    prune = Prune(by=("random", "magnitude"), zeros=(0.9, 0.5))
    assert prune == Prune(by=("magnitude", "random"), zeros=(0.5, 0.9))
    assert Run.from_dict(Run(prune=prune).to_dict()) == Run(prune=prune)


# ── What is refused ─────────────────────────────────────────────────────────────────────────────

PRUNE = Prune(by=("magnitude",), zeros=(0.5,))
ADAMW = {"optimizer": "adamw", "weight_decay": 0.1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": "CIFAR 10"}, "dataset name 'CIFAR 10': expected a lower-case word"),
        ({"train_size": 0}, "train_size: expected at least 1, got 0"),
        ({"hidden": (256, 0)}, "hidden: expected at least 1, got 0"),
        ({"action": "multiplied"}, "unknown action 'multiplied'.*Did you mean 'multiply'"),
        ({"optimizer": "sdg"}, "unknown optimizer 'sdg'; known: .*adamw.* mean 'sgd'"),
        (
            {"optimizer": "adamw"},
            "weight_decay: required with the optimizer .*adamw.*not allowed with others",
        ),
        ({"weight_decay": 0.1}, "weight_decay: required with the optimizer .*adamw.*not allowed"),
        ({"optimizer": "adamw", "weight_decay": -0.1}, "weight_decay: expected at least 0"),
        ({**ADAMW, "folded": ("start",)}, "folded: weight decay on learned weights cannot"),
        (
            {"interventions": (Nudge(),), "second": SecondTask()},
            "two tasks are trained without",
        ),
        ({"interventions": (Nudge(),), "epochs": 1}, "nudge: expected at least 2 epochs"),
        ({"initial_std": 0.1}, "initial_std: required with the initialisation normal"),
        ({"initialisation": "normal"}, "initial_std: required with the initialisation normal"),
        ({"initialisation": "normal", "initial_std": 0.0}, "initial_std: expected a number > 0"),
        ({"initialisation": "zeros"}, "unknown initialisation .* Leave initialisation out for K"),
        ({"input_scaling": "0-1"}, "unknown input_scaling .* known: centred, unit.* standardise"),
        (
            {"initialisation": "torch_default", "network": "convolutional"},
            "initialisation: expected a multilayer perceptron",
        ),
        ({"network": "convolution"}, "unknown network .* mean 'convolutional'.*perceptron"),
        ({"network": "mlp"}, "unknown network 'mlp'.*Leave network out"),
        ({"network": "transformer", "positions": "plane"}, "network: .* multilayer perceptron"),
        ({"network": "transformer", "folded": ("start",)}, "network: .* multilayer perceptron"),
        ({"network": "convolutional", "second": SecondTask()}, "network: .* perceptron"),
        ({"network": "convolutional", "prune": PRUNE}, "network: .* multilayer perceptron"),
        ({"network": "convolutional", "decay": Decay(target=Linear())}, "network: .* perceptron"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number > 0, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number > 0"),
        ({"learning_rate_decay": "linera"}, "unknown learning_rate_decay .* mean 'linear'"),
        ({"folded": ("start", "shrinks")}, "unknown part of folded 'shrinks'.* mean 'shrink'"),
        ({"folded": ()}, r"folded: expected one or more of start, .* without repeats, got \[\]"),
        ({"folded": ("start", "start")}, "folded: expected one or more .* without repeats"),
        ({"folded": ("start",), "action": "cap"}, "folded: only the action multiply"),
        ({"folded": ("start",), "decay": Decay(target=Linear())}, "folded: .* without decay"),
        ({"folded": ("start",), "second": SecondTask()}, "second: .* no folded"),
        (
            {"learning_rate_decay": "cosine", "second": SecondTask()},
            "second: expected no learning_rate_decay",
        ),
        ({"positions": "plain"}, "unknown positions 'plain'.* mean 'plane'.*1-D index order"),
        ({"positions": "line"}, "unknown positions 'line'; known: plane"),
        ({"permuted_pixels": 3}, "permuted_pixels: .* only on the plane; set positions"),
        ({"positions": "plane", "permuted_pixels": -1}, "permuted_pixels: expected a seed from 0"),
        ({"positions": "plane", "decay": Decay(target=Linear())}, "positions: decay, second and"),
        ({"positions": "plane", "second": SecondTask()}, "positions: decay, second and"),
        ({"positions": "plane", "folded": ("start",)}, "positions: decay, second and"),
        ({"sparse": Sparse(zeros=0.5), "prune": PRUNE}, "sparse and prune: give only one"),
        (
            {"sparse": Sparse(zeros=0.5), "folded": ("start",)},
            "sparse and prune: expected one task",
        ),
        ({"sparse": Sparse(zeros=0.5), "second": SecondTask()}, "sparse and prune: expected one"),
        ({"prune": PRUNE, "decay": Decay(target=Linear())}, "prune: .* leave out"),
        ({"prune": PRUNE, "learning_rate_decay": "linear"}, "prune: .* leave out"),
        ({"prune": replace(PRUNE, by=("kernel",))}, "prune: by kernel needs kernel values that"),
        ({"learning_rate": float("nan")}, r"Run\.learning_rate: expected a finite number"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected 0 to 2147483647, got -1"),
        ({"seed": 2**31}, "seed: expected 0 to 2147483647"),
    ],
)
def test_a_value_out_of_its_range_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Run(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 12.0}, r"Run\.epochs: expected int, got 12\.0"),
        ({"seed": True}, r"Run\.seed: expected int, got True"),
        ({"hidden": 256}, r"Run\.hidden: expected a sequence, got 256"),
        ({"hidden": (256.0,)}, r"Run\.hidden: expected int"),
        ({"schedule": Linear()}, r"Run\.schedule: expected a Schedule"),
        ({"decay": 1e-4}, r"Run\.decay: expected a Decay"),
        ({"dataset": None}, r"Run\.dataset: expected str, got None"),
    ],
)
def test_a_value_of_another_type_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Run(**fields)


def test_a_run_is_frozen_and_takes_keywords_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="seed"):
        Run().seed = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Run("mnist")  # type: ignore[misc]


def test_a_decay_below_nought_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Decay\.weight: expected at least 0, got -1"):
        Decay(target=Linear(), weight=-1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, r"run: its schema is 2, but this version .* has 1\. Read it with the ver"),
        ({"schema": None}, "its schema is None, but this version"),
        ({"recipe": 0}, r"run: its recipe is 0, but this version .* has 1.*train it again"),
        ({"epoch": 3}, r"run: unknown field 'epoch'.*Did you mean 'epochs'"),
        ({"schedule": {"kind": "anneal"}}, r"run\.schedule: .*missing .*'start'"),
        ({"schedule": {"kind": "static", "kernel": {"kind": "box"}}}, "unknown kernel 'box'"),
        ({"schedule": {"kind": "linear"}}, "unknown schedule 'linear'"),
        ({"epochs": "12"}, r"Run\.epochs: expected int, got '12'"),
    ],
)
def test_json_that_is_not_a_run_of_this_version_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Run.from_dict({**Run().to_dict(), **change})


@pytest.mark.parametrize("data", [None, [], "run", 3])
def test_json_that_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="run: expected an object"):
        Run.from_dict(data)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_not_hashed(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": number})
