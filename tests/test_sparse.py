"""Sparse training and pruning: zeros stay zero, counts are exact, and who goes and who comes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import BASE, CLASSES, DATA, FEATURES, bits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Prune, Sparse
from spatialnb.priors import parametrization
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.study.metrics import metric
from spatialnb.training import networks
from spatialnb.training.build import build
from spatialnb.training.determinism import deterministic, generator
from spatialnb.training.evaluation import batches, evaluate
from spatialnb.training.interventions import pruning
from spatialnb.training.loop import train
from spatialnb.training.sparse_optimizers import (
    Masked,
    Rigl,
    Set,
    largest,
    masks,
    narrowed,
    start,
    weights_left,
)

PROPERTY = settings(deadline=None, max_examples=40)
MASKED = ("static", "set", "rigl")
"""Methods whose number of weights is the same throughout; the others have a file of their own."""
SHAPES = ((20, 30), (12, 20), (5, 12))
SHARPEN = Sharpen(k_start=3, k_end=50)
PRUNED = replace(
    BASE, schedule=SHARPEN, prune=Prune(by=("kernel", "magnitude", "random"), zeros=(0.3, 0.6))
)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(seed: int = 0) -> list[Tensor]:
    generator = chance(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def held(method: str, zeros: float = 0.6, seed: int = 0) -> Any:
    """An optimiser of three layers' weights, of 4 epochs of 100 steps."""
    weights = drawn(seed)
    generator = chance(seed + 1)
    kept = masks(weights, Sparse(zeros=zeros), generator)
    start([weight.detach() for weight in weights], kept)
    adam = torch.optim.Adam(weights, lr=0.01)
    if method == "set":
        return Set(adam, weights, kept, epoch=100, steps=400, generator=generator)
    if method == "rigl":
        return Rigl(adam, weights, kept, steps=400)
    return Masked(adam, weights, kept)


def steps(optimizer: Masked, number: int, seed: int = 5) -> None:
    generator = chance(seed)
    for _ in range(number):
        for weight in optimizer.weights:
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()


def numbers(optimizer: Masked) -> list[int]:
    return [int(mask.sum()) for mask in optimizer.kept]


# ── How many, and which ─────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 0.99))
def test_a_layer_keeps_as_many_weights_as_its_band_has(out: int, into: int, zeros: float) -> None:
    number = weights_left((out, into), zeros)
    reach = 1.0 - math.sqrt(zeros)
    x, y = ([0.5] if n == 1 else [i / (n - 1) for i in range(n)] for n in (out, into))
    least, most = (
        sum(abs(a - b) <= reach + rounding for a in x for b in y) for rounding in (-1e-9, 1e-9)
    )
    assert max(1, least) <= number <= max(1, most)


def test_the_share_of_zeros_is_the_one_asked_for_where_layers_are_wide() -> None:
    shapes = [(256, 3072), (128, 256)]
    for zeros in (0.5, 0.814, 0.942, 0.98):
        for shape in shapes:
            # (1 - d)² is for continuous positions; these layers come within half a percent.
            assert 1 - weights_left(shape, zeros) / math.prod(shape) == pytest.approx(
                zeros, abs=0.005
            )


@pytest.mark.parametrize(("k", "zeros"), [(15, 0.647), (30, 0.814), (50, 0.886), (100, 0.942)])
def test_a_level_is_the_kernel_of_the_report_cut_at_a_tenth(k: int, zeros: float) -> None:
    for shape in ((256, 3072), (128, 256), (10, 128)):
        strengths = Exponential(k=k).strength(layer_distance(*shape))
        exact, ours = strengths >= 0.1, largest(strengths, weights_left(shape, zeros))
        # The levels are rounded to a tenth of a percent.
        assert int((exact ^ ours).sum()) <= 0.002 * strengths.numel()
        assert not (ours & ~exact).any() or not (exact & ~ours).any(), "not nested"


@PROPERTY
@given(st.integers(0, 60), st.integers(0, 5))
def test_keep_keeps_the_largest(number: int, seed: int) -> None:
    score = torch.randn((6, 10), generator=chance(seed))
    mask = largest(score, number)
    assert mask.shape == score.shape
    assert int(mask.sum()) == number
    if 0 < number < 60:
        assert score[mask].min() >= score[~mask].max()


def test_equal_scores_still_give_the_number_asked_for() -> None:
    assert int(largest(torch.zeros(7, 7), 10).sum()) == 10


@pytest.mark.parametrize("places", ["random", "band"])
def test_masks_have_the_same_numbers_wherever_they_are(places: str) -> None:
    made = masks(drawn(), Sparse(zeros=0.6, places=places), chance())
    assert [int(mask.sum()) for mask in made] == [weights_left(shape, 0.6) for shape in SHAPES]


def test_a_band_is_the_nearest_connections() -> None:
    for mask in masks(drawn(), Sparse(zeros=0.6, places="band"), chance()):
        distance = layer_distance(*mask.shape)
        assert distance[mask].max() <= 1.0 - math.sqrt(0.6) < distance[~mask].min()


def test_a_random_mask_depends_on_the_generator_and_on_nothing_else() -> None:
    sparse = Sparse(zeros=0.6)
    first, again, other = (
        masks(drawn(seed), sparse, chance(g)) for seed, g in ((0, 3), (1, 3), (0, 4))
    )
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_what_is_left_is_scaled_to_the_inputs_that_are_left() -> None:
    weight = torch.randn((400, 300), generator=chance()) * math.sqrt(2 / 300)
    (mask,) = masks([weight], Sparse(zeros=0.8), chance(1))
    start([weight], [mask])
    assert not weight[~mask].any()
    # 24,000 draws give a standard deviation within half a percent or so.
    share = int(mask.sum()) / mask.numel()
    assert float(weight[mask].std()) == pytest.approx(math.sqrt(2 / (300 * share)), rel=0.02)


# ── Training with zeros ─────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(st.sampled_from(MASKED), st.floats(0.1, 0.95), st.integers(0, 400), st.integers(0, 9))
def test_a_weight_is_zero_where_the_mask_says_so_and_their_number_never_changes(
    method: str, zeros: float, number: int, seed: int
) -> None:
    optimizer = held(method, zeros, seed)
    before = numbers(optimizer)
    steps(optimizer, number, seed)
    assert numbers(optimizer) == before == [weights_left(shape, zeros) for shape in SHAPES]
    for weight, mask in zip(optimizer.weights, optimizer.kept, strict=True):
        assert not weight.detach()[~mask].any()


def test_a_static_mask_stays_and_its_weights_are_trained_as_if_the_others_were_not_there() -> None:
    optimizer = held("static")
    places = [mask.clone() for mask in optimizer.kept]
    alone = [
        w.detach()[m].clone().requires_grad_()
        for w, m in zip(optimizer.weights, places, strict=True)
    ]
    adam = torch.optim.Adam(alone, lr=0.01)
    generator = chance(5)
    for _ in range(20):
        for part, mask in zip(alone, places, strict=True):
            part.grad = torch.randn(mask.shape, generator=generator)[mask]
        adam.step()
    steps(optimizer, 20, 5)
    for weight, part, mask, now in zip(
        optimizer.weights, alone, places, optimizer.kept, strict=True
    ):
        assert torch.equal(mask, now)
        torch.testing.assert_close(weight.detach()[mask], part.detach())


def test_set_replaces_the_smallest_at_the_end_of_every_epoch_but_the_last() -> None:
    optimizer = held("set")
    changed = []
    for number in range(1, 401):
        before = [mask.clone() for mask in optimizer.kept]
        steps(optimizer, 1, number)
        if any(not torch.equal(a, b) for a, b in zip(before, optimizer.kept, strict=True)):
            changed.append(number)
    assert changed == [100, 200, 300]


def test_what_is_replaced_is_the_smallest_and_comes_back_at_zero_without_averages() -> None:
    optimizer = held("static")
    steps(optimizer, 3)
    before = [w.detach().clone() for w in optimizer.weights]
    masks_before = [mask.clone() for mask in optimizer.kept]
    optimizer.replace(0.3, lambda w: torch.rand(w.shape, generator=chance(8)))
    for old, weight, was, now in zip(
        before, optimizer.weights, masks_before, optimizer.kept, strict=True
    ):
        stayed = weight.detach() != 0.0
        dropped = int(0.3 * int(was.sum()))
        assert int(stayed.sum()) == int(was.sum()) - dropped
        assert torch.equal(old[stayed], weight.detach()[stayed])
        assert old[stayed].abs().min() >= old[was & ~stayed].abs().max()
        assert int((now & ~stayed).sum()) == dropped
        for average in ("exp_avg", "exp_avg_sq"):
            state = optimizer.optimizer.state[weight][average]
            assert not state[~stayed].any()
            assert state[stayed].all()


def test_rigl_grows_where_the_gradient_is_largest_and_makes_no_step_then() -> None:
    optimizer = held("rigl")
    steps(optimizer, 100)
    before = [w.detach().clone() for w in optimizer.weights]
    was = [mask.clone() for mask in optimizer.kept]
    steps(optimizer, 1, 77)
    # The first replacement, before step 100 of 400: a cosine of a third of the way.
    share = 0.15 * (1 + math.cos(math.pi * 100 / 300))
    assert share == pytest.approx(0.225)
    for old, weight, mask, now in zip(before, optimizer.weights, was, optimizer.kept, strict=True):
        assert weight.grad is not None
        stayed = weight.detach() != 0.0
        grown = now & ~stayed
        assert torch.equal(old[stayed], weight.detach()[stayed]), "a step was made"
        assert int(grown.sum()) == int(share * int(mask.sum()))
        assert weight.grad.abs()[grown].min() >= weight.grad.abs()[~now].max()


def test_rigl_ends_after_three_quarters_of_the_training() -> None:
    optimizer = held("rigl")
    changed = []
    for number in range(1, 401):
        before = [mask.clone() for mask in optimizer.kept]
        steps(optimizer, 1, number)
        if any(not torch.equal(a, b) for a, b in zip(before, optimizer.kept, strict=True)):
            changed.append(number - 1)  # steps are counted from 0
    assert changed == [100, 200]


# ── Whole runs ──────────────────────────────────────────────────────────────────────────────────


def layers(model: nn.Module) -> list[Tensor]:
    return [layer.weight.detach() for _, layer in networks.linear_layers(model)]


@pytest.mark.parametrize(
    ("method", "places"), [*itertools.product(MASKED, ["random"]), ("static", "band")]
)
@pytest.mark.parametrize("schedule", [Static(), SHARPEN], ids=["plain", "sharpened"])
def test_a_sparse_run_is_sparse_and_the_same_again(
    method: str, places: str, schedule: Static
) -> None:
    run = replace(BASE, schedule=schedule, sparse=Sparse(zeros=0.6, method=method, places=places))
    first, again = train(run, DATA), train(run, DATA)
    assert bits(first) == bits(again)
    for weight in layers(first.model):
        assert int((weight != 0.0).sum()) <= weights_left(weight.shape, 0.6)
    there = sum(int((w != 0.0).sum()) for w in layers(first.model))
    assert first.outcome["final"]["zeros"] == pytest.approx(
        1 - there / sum(w.numel() for w in layers(first.model))
    )


def test_a_static_run_keeps_the_places_that_it_starts_with() -> None:
    run = replace(BASE, sparse=Sparse(zeros=0.6))
    before = layers(build(run, DATA.shape, CLASSES))
    for old, new in zip(before, layers(train(run, DATA).model), strict=True):
        assert torch.equal(old != 0.0, new != 0.0)


def test_runs_that_ask_for_no_zeros_have_none_in_their_outcome() -> None:
    outcome = train(BASE, DATA).outcome
    assert "pruned" not in outcome
    assert "zeros" not in outcome["final"]


def test_pruning_leaves_the_training_before_it_as_it_was() -> None:
    plain, pruned = train(replace(PRUNED, prune=None), DATA), train(PRUNED, DATA)
    ours = dict(pruned.outcome)
    del ours["pruned"]
    assert ours == plain.outcome
    assert bits(plain)[1] == bits(pruned)[1], "the network itself was changed"


def test_levels_are_what_was_asked_for_and_their_zeros_are_counted() -> None:
    pruned = train(PRUNED, DATA).outcome["pruned"]
    asked = [(by, level) for by in ("kernel", "magnitude", "random") for level in (0.3, 0.6)]
    assert [(row["by"], row["level"]) for row in pruned["levels"]] == asked
    shapes = [(8, FEATURES), (7, 8), (CLASSES, 7)]
    total = sum(math.prod(shape) for shape in shapes)
    for row in pruned["levels"]:
        left = sum(weights_left(shape, row["level"]) for shape in shapes)
        assert row["zeros"] == pytest.approx(1 - left / total)
    assert train(PRUNED, DATA).outcome["pruned"] == pruned


def test_a_cut_network_and_its_further_epoch_are_what_they_are_by_hand() -> None:
    """The kernel's criterion at 60 %, with another Adam that is given the same averages."""
    trained = train(replace(PRUNED, prune=None), DATA)
    reference = next(
        row
        for row in train(PRUNED, DATA).outcome["pruned"]["levels"]
        if (row["by"], row["level"]) == ("kernel", 0.6)
    )
    model = trained.model
    kept = [
        layer_distance(*layer.weight.shape) <= 1 - math.sqrt(0.6)
        for _, layer in networks.linear_layers(model)
    ]
    with torch.no_grad():
        for (_, layer), mask in zip(networks.linear_layers(model), kept, strict=True):
            parametrization.learned_weight(layer).mul_(mask)
    assert evaluate(model, DATA, DATA.test)[1] == reference["accuracy"]

    # The averages of Adam at the end are those of the same training made here.
    optimizer, order = _by_hand(replace(PRUNED, prune=None))
    model = optimizer.model
    held = Masked(
        optimizer.adam,
        [parametrization.learned_weight(x) for _, x in networks.linear_layers(model)],
        kept,
    )
    with deterministic():
        for index in batches(order, PRUNED.batch_size):
            held.optimizer.zero_grad()
            cross_entropy(model(DATA.inputs(DATA.train, index)), DATA.train.y[index]).backward()
            held.step()
    assert evaluate(model, DATA, DATA.test)[1] == reference["tuned_accuracy"]
    for weight, mask in zip(layers(model), kept, strict=True):
        assert not weight[~mask].any()


class _Trained:
    def __init__(self, model: nn.Module, adam: torch.optim.Optimizer) -> None:
        self.model, self.adam = model, adam


def _by_hand(run: Run) -> tuple[_Trained, Tensor]:
    """A run's training written out, and the order of the images in the epoch after it."""
    model = build(run, DATA.shape, CLASSES)
    adam = torch.optim.Adam(model.parameters(), lr=run.learning_rate, fused=True)
    order = generator(run.seed, "order")
    images = len(DATA.train.y)
    with deterministic():
        for epoch in range(run.epochs):
            parametrization.step(model, run.schedule, epoch / (run.epochs - 1))
            for index in batches(torch.randperm(images, generator=order), run.batch_size):
                loss = cross_entropy(model(DATA.inputs(DATA.train, index)), DATA.train.y[index])
                adam.zero_grad()
                loss.backward()
                adam.step()
    return _Trained(model, adam), torch.randperm(images, generator=order)


def test_magnitude_is_that_of_the_effective_weight() -> None:
    model = build(replace(BASE, schedule=SHARPEN), DATA.shape, CLASSES)
    optimizer = torch.optim.Adam(model.parameters())
    seen: list[list[Tensor]] = []
    pruning.pruned(
        Prune(by=("magnitude",), zeros=(0.6,)),
        model,
        optimizer,
        [torch.ones_like(weight) for weight in layers(model)],
        tune=lambda network, held: seen.append(layers(network)),
        accuracy=lambda network: 0.0,
        generator=chance(),
    )
    for whole, cut in zip(layers(model), seen[1], strict=True):
        there = cut != 0.0
        assert int(there.sum()) == weights_left(whole.shape, 0.6)
        assert whole[there].abs().min() >= whole[~there].abs().max()


# ── A narrower network ──────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(
    st.integers(20, 400),
    st.lists(st.integers(30, 90), min_size=1, max_size=3),
    st.integers(2, 12),
    st.floats(0.05, 0.7),
)
def test_a_narrower_network_has_as_many_weights_as_the_sparse_one_and_no_more(
    features: int, hidden: list[int], classes: int, zeros: float
) -> None:
    widths = [features, *narrowed(features, hidden, classes, zeros), classes]
    sizes = [features, *hidden, classes]
    shapes = [(out, into) for into, out in itertools.pairwise(sizes)]
    left = [weights_left(shape, zeros) for shape in shapes]
    ours = [out * into for into, out in itertools.pairwise(widths)]
    assert sum(ours) <= sum(left)
    wider = [*widths[:-2], widths[-2] + 1, classes]
    assert sum(out * into for into, out in itertools.pairwise(wider)) > sum(left)
    for layer in range(len(hidden) - 1):
        assert ours[layer] <= left[layer]


def test_the_narrower_networks_of_the_book() -> None:
    assert narrowed(3072, (256, 128), 10, 0.814) == (47, 138)
    assert narrowed(3072, (256, 128), 10, 0.942) == (14, 185)


def test_a_network_that_would_have_no_neurons_is_refused() -> None:
    with pytest.raises(ValueError, match=r"narrowed: .* weights are too few .* use fewer zeros"):
        narrowed(3072, (4, 4), 10, 0.99)
    with pytest.raises(ValueError, match="narrowed: expected at least one hidden width"):
        narrowed(3072, (), 10, 0.5)


# ── What is read, and what is refused ───────────────────────────────────────────────────────────


def test_metrics_read_levels_by_criterion_and_share() -> None:
    outcome = train(PRUNED, DATA).outcome
    levels = {(row["by"], row["level"]): row for row in outcome["pruned"]["levels"]}
    row = levels["kernel", 0.6]
    assert metric("pruned:kernel@60").read(outcome) == 100 * row["accuracy"]
    assert metric("tuned:kernel@60").read(outcome) == 100 * row["tuned_accuracy"]
    assert metric("zeros:kernel@60").read(outcome) == 100 * row["zeros"]
    assert metric("tuned").read(outcome) == 100 * outcome["pruned"]["tuned_accuracy"]
    with pytest.raises(KeyError, match=r"level 61\.0 by kernel"):
        metric("pruned:kernel@61").read(outcome)
    with pytest.raises(ValueError, match=r"pruned.*needs a number, e\.g\. pruned@94\.2"):
        metric("pruned:kernel")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparse(zeros=0.0), r"Sparse\.zeros: expected a fraction between 0 and 1, got 0"),
        (
            lambda: Sparse(zeros=94.2),
            r"Sparse\.zeros: expected a fraction between 0 and 1, got 94\.2",
        ),
        (lambda: Sparse(zeros=0.5, method="sett"), r"unknown Sparse\.method 'sett'.*mean 'set'"),
        (lambda: Sparse(zeros=0.5, places="bands"), r"unknown Sparse\.places 'bands'.*'band'"),
        (lambda: Prune(by=("kernal",), zeros=(0.5,)), r"unknown Prune\.by 'kernal'.*'kernel'"),
        (lambda: Prune(by=(), zeros=(0.5,)), r"Prune\.by: expected one or more"),
        (lambda: Prune(by=("random",), zeros=()), r"Prune\.zeros: expected one or more"),
        (lambda: Prune(by=("random",), zeros=(0.5, 0.5)), r"Prune\.zeros: .* without repeats"),
        (lambda: Prune(by=("random",), zeros=(1.0,)), r"Prune\.zeros: expected a fraction bet"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_one_number_for_all_weights_has_no_smallest_strength() -> None:
    kernel = Averaged(kernel=Exponential())
    with pytest.raises(ValueError, match="prune: by kernel needs kernel values that differ"):
        Run(schedule=Static(kernel=kernel), prune=Prune(by=("kernel",), zeros=(0.5,)))
