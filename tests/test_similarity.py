"""How alike two trained networks are."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spatialnb.analysis.similarity import centre, compare, cosine, permute_hidden
from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential, Kernel, Uniform
from spatialnb.training import networks

PROPERTY = settings(deadline=None, max_examples=30)
ROUNDING = 1e-12  # sums of at most a million products in double precision


def network(seed: int, features: int = 20, hidden: tuple[int, ...] = (15, 12), classes: int = 4):
    generator = torch.Generator().manual_seed(seed)
    return networks.effective_weights(networks.mlp(features, hidden, classes, generator))


@PROPERTY
@given(st.integers(0, 1000))
def test_a_network_is_exactly_like_itself(seed: int) -> None:
    weights = network(seed)
    assert cosine(weights, weights) == {"0": 1.0, "2": 1.0, "4": 1.0, "overall": 1.0}


@PROPERTY
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_scale_does_not_count_and_the_sign_does(first: float, second: float) -> None:
    one, two = ({n: w.double() for n, w in network(seed).items()} for seed in (1, 2))
    plain = cosine(one, two)
    scaled = cosine(
        {name: first * w for name, w in one.items()}, {name: second * w for name, w in two.items()}
    )
    turned = cosine({name: -w for name, w in one.items()}, two)
    assert scaled == pytest.approx(plain, abs=ROUNDING)
    assert turned == pytest.approx({name: -value for name, value in plain.items()}, abs=ROUNDING)


@PROPERTY
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_cosine_is_symmetric_and_in_range(first: int, second: int) -> None:
    there, back = cosine(network(first), network(second)), cosine(network(second), network(first))
    assert there == pytest.approx(back, abs=ROUNDING)
    assert all(abs(value) <= 1.0 + ROUNDING for value in there.values())


def test_overall_is_the_cosine_of_all_layers_laid_end_to_end() -> None:
    one, two = network(1), network(2)
    flat = [torch.cat([w.flatten() for w in weights.values()]).double() for weights in (one, two)]
    by_hand = torch.nn.functional.cosine_similarity(*flat, dim=0).item()
    assert cosine(one, two)["overall"] == pytest.approx(by_hand, abs=ROUNDING)


def test_unrelated_networks_are_alike_by_chance_alone() -> None:
    one, two = network(1, 784, (256, 128), 10), network(2, 784, (256, 128), 10)
    for name, value in cosine(one, two).items():
        # n independent products have a cosine of sd 1/sqrt(n). Overall, layers of other variance
        # weigh differently, and the effective n is the smaller one below.
        if name == "overall":
            squares = [w.numel() * 2 / w.shape[1] for w in one.values()]
            fourths = [w.numel() * (2 / w.shape[1]) ** 2 for w in one.values()]
            deviation = math.sqrt(sum(fourths)) / sum(squares)
        else:
            deviation = 1 / math.sqrt(one[name].numel())
        assert abs(value) < 5 * deviation, name


def test_networks_of_other_shapes_or_layers_are_not_compared() -> None:
    with pytest.raises(
        ValueError, match=r"cannot compare networks: their shapes differ, .*\(15, 20\)"
    ):
        cosine(network(1), network(1, hidden=(14, 12)))
    with pytest.raises(ValueError, match="cannot compare networks: their shapes differ"):
        cosine(network(1), {**network(1), "6": torch.ones(1, 1)})


def test_a_network_of_zeros_has_no_direction() -> None:
    zeros = {name: torch.zeros_like(w) for name, w in network(1).items()}
    with pytest.raises(ValueError, match="with only zeros is not defined"):
        cosine(network(1), zeros)


# ── Renumbering hidden neurons ──────────────────────────────────────────────────────────────────


def outputs(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """A ReLU network of these weights without biases."""
    *hidden, last = weights.values()
    for weight in hidden:
        x = (x @ weight.T).relu()
    return x @ last.T


@PROPERTY
@given(st.integers(0, 1000), st.lists(st.integers(1, 20), max_size=3))
def test_renumbered_hidden_neurons_compute_the_same_function(seed: int, hidden: list[int]) -> None:
    weights = {n: w.double() for n, w in network(seed, hidden=tuple(hidden)).items()}
    (renumbered,) = permute_hidden(torch.Generator().manual_seed(seed), weights)
    x = torch.randn(7, 20, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    # The same products in another order: rounding in double precision.
    torch.testing.assert_close(outputs(renumbered, x), outputs(weights, x), rtol=1e-9, atol=1e-9)
    for name, weight in weights.items():
        assert torch.equal(renumbered[name].flatten().sort()[0], weight.flatten().sort()[0])


def test_renumbering_really_moves_neurons_and_leaves_its_input_alone() -> None:
    weights = network(1)
    kept = {name: w.clone() for name, w in weights.items()}
    (renumbered,) = permute_hidden(torch.Generator().manual_seed(0), weights)
    assert all(torch.equal(weights[name], kept[name]) for name in kept)
    assert not any(torch.equal(renumbered[name], kept[name]) for name in kept)
    assert cosine(weights, renumbered)["overall"] < 0.5


def test_networks_that_are_renumbered_together_stay_alike() -> None:
    one, two = network(1), network(2)
    first, second = permute_hidden(torch.Generator().manual_seed(0), one, two)
    assert cosine(first, second) == pytest.approx(cosine(one, two), abs=ROUNDING)


# ── What a record of a pair holds ───────────────────────────────────────────────────────────────


def sides(seed: int, kernel: Kernel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    model = networks.mlp(60, (40, 30), 4, torch.Generator().manual_seed(seed))
    learned = networks.effective_weights(model)
    return learned, networks.effective_weights(parametrization.attach(model, kernel))


def compared(first: int, second: int, kernel: Kernel, seed: int = 3) -> dict:
    learned, acting = zip(sides(first, kernel), sides(second, kernel), strict=True)
    before, acting_before = zip(sides(100, kernel), sides(101, kernel), strict=True)
    return compare(learned, acting, before, acting_before, seed=seed)


def test_a_comparison_holds_raw_and_effective_likeness_beside_both_nulls() -> None:
    found = compared(1, 1, Exponential())
    assert found["raw"] == found["effective"] == {"0": 1.0, "2": 1.0, "4": 1.0, "overall": 1.0}
    learned, acting = zip(sides(100, Exponential()), sides(101, Exponential()), strict=True)
    assert found["initial"]["raw"] == cosine(*learned)["overall"]
    assert found["initial"]["effective"] == cosine(*acting)["overall"]
    assert found["permuted"]["times"] == 20
    assert json.loads(json.dumps(found)) == found


def test_without_a_prior_raw_and_effective_are_the_same_number() -> None:
    found = compared(1, 2, Uniform())
    assert found["raw"] == found["effective"]
    assert found["initial"]["raw"] == found["initial"]["effective"]
    assert found["permuted"]["raw"] == found["permuted"]["effective"]


def test_a_network_renumbered_is_not_like_itself() -> None:
    found = compared(1, 1, Uniform())["permuted"]
    # 60-40-30-4: per permutation the sd is near 1/sqrt(1500); a fixed point or two of a permutation
    # adds about 1/30 of likeness. Twenty permutations average it.
    assert abs(found["raw"]) < 0.1
    assert 0.0 < found["raw_sd"] < 0.1


def test_a_comparison_is_the_same_each_time_and_touches_no_global_generator() -> None:
    before = torch.get_rng_state()
    assert compared(1, 2, Exponential()) == compared(1, 2, Exponential())
    assert torch.equal(before, torch.get_rng_state())
    other = compared(1, 2, Exponential(), seed=4)
    assert other["permuted"] != compared(1, 2, Exponential())["permuted"]
    assert other["raw"] == compared(1, 2, Exponential())["raw"]


def test_a_network_that_diverged_is_refused_by_name() -> None:
    broken = {name: w * math.nan for name, w in network(1).items()}
    with pytest.raises(ValueError, match=r"not finite \(a failed run\)"):
        cosine(network(2), broken)


def test_what_all_neurons_share_is_alikeness_that_centring_takes_away() -> None:
    chance = torch.Generator().manual_seed(0)
    shared = torch.randn(1, 300, generator=chance)
    one, other = ({"0": torch.randn(200, 300, generator=chance) + shared} for _ in range(2))
    # Both terms have variance 1, so half of each weight is shared.
    assert cosine(one, other)["overall"] == pytest.approx(0.5, abs=0.05)
    centred = cosine(centre(one), centre(other))["overall"]
    assert abs(centred) < 5 / (200 * 300) ** 0.5  # five standard deviations of unrelated weights
