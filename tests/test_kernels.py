"""From distance to strength."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import (
    Averaged,
    Blend,
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Scaled,
    Shuffled,
    Thresholded,
    Uniform,
    kernels,
    share_below,
    sharpened,
)
from spatialnb.training import networks

PROPERTY = settings(deadline=None, max_examples=60)
REFERENCE = ((256, 3072), (128, 256), (10, 128))  # 3072-256-128-10, (out, in) of each layer
ROUNDING = 4e-16  # strengths in [0, 1]: a few units in the last place of float64

floors = st.floats(0.0, 0.95)
decaying: st.SearchStrategy[Kernel] = st.one_of(
    st.builds(Linear, floor=floors),
    st.builds(Exponential, k=st.floats(0.01, 200.0), floor=floors),
    st.builds(Gaussian, width=st.floats(0.001, 10.0), floor=floors),
)
plain: st.SearchStrategy[Kernel] = st.one_of(
    decaying, st.builds(Inverse, floor=floors), st.builds(Uniform, value=st.floats(0.0, 2.0))
)
shapes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@pytest.mark.parametrize(
    ("kernel", "formula"),
    [
        (Uniform(), lambda d: 1.0),
        (Linear(floor=0.0), lambda d: 1 - d),
        (Linear(), lambda d: 0.1 + 0.9 * (1 - d)),
        (Exponential(), lambda d: 0.05 + 0.95 * math.exp(-3 * d)),
        (Exponential(k=15.0), lambda d: 0.05 + 0.95 * math.exp(-15 * d)),
        (Gaussian(), lambda d: 0.05 + 0.95 * math.exp(-(d**2) / 0.18)),
        (Inverse(), lambda d: 0.1 + 0.9 * d),
    ],
    ids=lambda value: str(value) if isinstance(value, Kernel) else "formula",
)
def test_a_kernel_is_the_formula_that_the_report_prints(kernel: Kernel, formula) -> None:
    distances = [0.0, 0.01, 0.2, 0.5, 0.75, 1.0]
    found = kernel.strength(torch.tensor([distances], dtype=torch.float64))
    assert found[0].tolist() == pytest.approx([formula(d) for d in distances], abs=ROUNDING)


@PROPERTY
@given(plain, shapes)
def test_strengths_are_doubles_of_the_distances_shape_between_floor_and_one(
    kernel: Kernel, shape: tuple[int, int]
) -> None:
    strength = kernel.strength(layer_distance(*shape))
    assert strength.shape == shape
    assert strength.dtype == torch.float64
    low, high = getattr(kernel, "floor", 0.0), max(1.0, getattr(kernel, "value", 1.0))
    assert low - ROUNDING <= strength.min()
    assert strength.max() <= high + ROUNDING


@PROPERTY
@given(decaying, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20))
def test_a_longer_connection_is_never_stronger(kernel: Kernel, distances: list[float]) -> None:
    strength = kernel.strength(torch.tensor(sorted(distances), dtype=torch.float64))
    assert (strength.diff() <= 0.0).all()
    assert kernel.strength(torch.zeros(1)).item() == pytest.approx(1.0, abs=ROUNDING)


@PROPERTY
@given(floors, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20))
def test_the_inverse_kernel_is_the_linear_one_seen_from_the_far_end(
    floor: float, distances: list[float]
) -> None:
    far = torch.tensor(sorted(distances), dtype=torch.float64)
    strength = Inverse(floor=floor).strength(far)
    assert (strength.diff() >= 0.0).all()
    torch.testing.assert_close(
        strength, Linear(floor=floor).strength(1.0 - far), rtol=0.0, atol=ROUNDING
    )


@pytest.mark.parametrize("name", list(kernels))
def test_distances_in_single_precision_give_strengths_in_double(name: str) -> None:
    composed = {
        "shuffled": Shuffled(kernel=Linear()),
        "averaged": Averaged(kernel=Linear()),
        "scaled": Scaled(kernel=Linear()),
        "thresholded": Thresholded(kernel=Linear()),
        "blend": Blend(start=Uniform(), end=Linear(), weight=0.5),
    }
    kernel = composed.get(name) or kernels.get(name)()
    assert kernel.strength(torch.full((2, 2), 0.5)).dtype == torch.float64
    assert kernel.label()


# ── Shuffled ────────────────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(plain, shapes, st.integers(0, 2**31))
def test_a_shuffled_kernel_has_the_same_strengths_at_other_places(
    kernel: Kernel, shape: tuple[int, int], seed: int
) -> None:
    between = layer_distance(*shape)
    shuffled = Shuffled(kernel=kernel, seed=seed).strength(between)
    assert shuffled.shape == shape
    assert torch.equal(
        shuffled.flatten().sort().values, kernel.strength(between).flatten().sort().values
    )


def test_a_shuffled_kernel_depends_on_its_seed_and_on_nothing_global() -> None:
    between = layer_distance(20, 30)
    before = torch.get_rng_state()
    first = Shuffled(kernel=Exponential(), seed=1000).strength(between)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    assert torch.equal(first, Shuffled(kernel=Exponential(), seed=1000).strength(between))
    assert not torch.equal(first, Shuffled(kernel=Exponential(), seed=2000).strength(between))
    assert not torch.equal(first, Exponential().strength(between))


def test_a_shuffle_puts_every_kernel_s_strengths_at_the_same_places() -> None:
    between = layer_distance(12, 17)
    near = Shuffled(kernel=Linear(floor=0.0), seed=3).strength(between)
    far = Shuffled(kernel=Inverse(floor=0.0), seed=3).strength(between)
    # 1 - d and d at the same place add to 1.
    torch.testing.assert_close(near + far, torch.ones_like(near), rtol=0.0, atol=ROUNDING)


def test_shuffling_leaves_no_locality_behind() -> None:
    between = layer_distance(60, 80)
    shuffled = Shuffled(kernel=Linear(floor=0.0)).strength(between)
    correlation = torch.corrcoef(torch.stack([between.flatten(), shuffled.flatten()]))[0, 1]
    # 4,800 unrelated pairs have a standard deviation of 1/sqrt(4800) = 0.0144; five of them.
    assert abs(correlation.item()) < 5 / math.sqrt(4800)


# ── Averaged ────────────────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(plain, shapes)
def test_an_averaged_kernel_is_one_number_a_layer_its_mean_or_root_mean_square(
    kernel: Kernel, shape: tuple[int, int]
) -> None:
    strength = kernel.strength(layer_distance(*shape))
    for power, expected in ((1, strength.mean()), (2, strength.square().mean().sqrt())):
        found = Averaged(kernel=kernel, power=power).strength(layer_distance(*shape))
        assert found.shape == shape
        assert found.dtype == torch.float64
        assert found.unique().numel() == 1
        assert found[0, 0].item() == pytest.approx(expected.item(), abs=1e-12)


@PROPERTY
@given(plain, shapes, st.integers(0, 2**31))
def test_shuffling_does_not_change_the_mean_and_squares_weigh_the_large_ones(
    kernel: Kernel, shape: tuple[int, int], seed: int
) -> None:
    between = layer_distance(*shape)
    mean = Averaged(kernel=kernel).strength(between)
    shuffled = Averaged(kernel=Shuffled(kernel=kernel, seed=seed)).strength(between)
    # Sums of the same numbers in another order.
    torch.testing.assert_close(mean, shuffled, rtol=0.0, atol=1e-12)
    assert (Averaged(kernel=kernel, power=2).strength(between) >= mean - 1e-12).all()


def test_the_mean_of_the_exponential_kernel_is_near_that_of_even_positions() -> None:
    r"""$f + (1 - f) \cdot 2 (k - 1 + e^{-k}) / k^2$ for two uniform positions."""
    for k in (3.0, 50.0):
        found = Averaged(kernel=Exponential(k=k)).strength(layer_distance(256, 3072))[0, 0].item()
        expected = 0.05 + 0.95 * 2 * (k - 1 + math.exp(-k)) / k**2
        assert found == pytest.approx(expected, abs=0.002)  # 256 positions, ends included


# ── Scaled ──────────────────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(plain, shapes, st.floats(0.1, 10.0))
def test_a_scaled_kernel_is_in_units_of_one_over_the_root_of_the_fan_in(
    kernel: Kernel, shape: tuple[int, int], factor: float
) -> None:
    between = layer_distance(*shape)
    found = Scaled(kernel=kernel, factor=factor).strength(between)
    expected = factor * kernel.strength(between) / math.sqrt(shape[1])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0.0)


def test_the_units_of_a_scaled_kernel_are_those_of_the_layers_own_weights() -> None:
    r"""A cap at c standard deviations of $N(0, 2 / \text{fan in})$ leaves out 4.6 % at c = 2."""
    for out, into in ((400, 100), (100, 400)):
        layer = networks.linear(into, out, torch.Generator().manual_seed(0))
        cap = Scaled(factor=2 * math.sqrt(2)).strength(layer_distance(out, into))
        share = (layer.weight.detach().abs() > cap).double().mean().item()
        # 40,000 weights: a standard error of 0.001; five of them.
        assert share == pytest.approx(0.0455, abs=0.005)


# ── Thresholded ─────────────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(plain, shapes, st.floats(0.01, 1.0))
def test_a_thresholded_kernel_is_the_kernel_or_nothing(
    kernel: Kernel, shape: tuple[int, int], least: float
) -> None:
    between = layer_distance(*shape)
    whole = kernel.strength(between)
    found = Thresholded(kernel=kernel, least=least).strength(between)
    assert torch.equal(found != 0.0, whole >= least)
    assert torch.equal(found[found != 0.0], whole[whole >= least])


def test_what_the_log_calls_sparse_is_zero_under_a_threshold() -> None:
    between = layer_distance(256, 3072)
    for k, share in ((15.0, 0.647), (100.0, 0.942)):
        kernel = Thresholded(kernel=Exponential(k=k))
        assert float((kernel.strength(between) == 0.0).double().mean()) == pytest.approx(
            share, abs=0.005
        )
        assert (
            kernel.share_below(0.01) == kernel.share_below(0.1) == Exponential(k=k).share_below(0.1)
        )


# ── Share of small strengths ────────────────────────────────────────────────────────────────────


def largest_gap(shapes: tuple[tuple[int, int], ...]) -> float:
    """How far measured and closed-form share can lie apart, at most.

    Of n evenly spaced positions the share in an interval misses its length by up to 1/n, and the
    far inputs of an output lie in two intervals: 2/in. Averaging over outputs adds the total
    variation of the far length, at most 1, times 1/out.
    """
    total = sum(out * into for out, into in shapes)
    return sum(out * into / total * (1 / out + 2 / into) for out, into in shapes)


@pytest.mark.parametrize(
    ("k", "percent"), [(10, 49.9), (15, 64.7), (30, 81.4), (50, 88.6), (75, 92.3), (100, 94.2)]
)
def test_the_measured_share_of_small_strengths_is_that_of_the_reported_network(
    k: float, percent: float
) -> None:
    kernel = Exponential(k=k)
    measured = share_below(kernel.strength(layer_distance(*shape)) for shape in REFERENCE)
    assert round(100 * measured, 1) == percent
    assert kernel.share_below(0.1) == pytest.approx((1 - math.log(19) / k) ** 2, abs=1e-12)
    assert abs(measured - kernel.share_below(0.1)) < largest_gap(REFERENCE) < 0.006


def test_the_report_s_48_percent_at_k_10_does_not_come_from_this_rule() -> None:
    kernel = Exponential(k=10)
    measured = share_below(kernel.strength(layer_distance(*shape)) for shape in REFERENCE)
    assert abs(measured - 0.480) > largest_gap(REFERENCE)
    assert abs(kernel.share_below(0.1) - 0.480) > largest_gap(REFERENCE)


@PROPERTY
@given(plain, st.floats(0.0, 1.2))
def test_closed_form_and_measured_share_agree_for_every_kernel(
    kernel: Kernel, threshold: float
) -> None:
    shape = (150, 250)
    strength = kernel.strength(layer_distance(*shape))
    # Rounding may put the (at most two) inputs that lie on the edge itself on either side.
    bound = largest_gap((shape,)) + 2 / shape[1]
    assert abs(share_below([strength], threshold) - kernel.share_below(threshold)) <= bound
    shuffled = Shuffled(kernel=kernel)
    assert shuffled.share_below(threshold) == kernel.share_below(threshold)


@PROPERTY
@given(plain, st.floats(-1.0, 3.0), st.floats(-1.0, 3.0))
def test_the_share_grows_with_the_threshold_from_none_to_all(
    kernel: Kernel, first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert 0.0 <= kernel.share_below(low) <= kernel.share_below(high) <= 1.0
    assert kernel.share_below(0.0) == 0.0
    assert kernel.share_below(2.5) == 1.0


def test_a_large_layer_counts_by_its_connections() -> None:
    assert share_below([torch.zeros(1, 1), torch.ones(3, 3)], 0.5) == pytest.approx(0.1)


def test_a_strength_at_the_threshold_is_not_under_it() -> None:
    assert share_below([torch.full((2, 2), 0.5)], 0.5) == 0.0


def test_a_share_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="kernel values of at least one layer"):
        share_below([])


def test_a_kernel_without_a_closed_form_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Blend has no closed form"):
        Blend(start=Uniform(), end=Linear(), weight=0.5).share_below(0.1)


# ── Blend, sharpen ──────────────────────────────────────────────────────────────────────────────


@PROPERTY
@given(plain, plain, shapes)
def test_a_blend_is_exactly_its_ends_at_its_ends(
    start: Kernel, end: Kernel, shape: tuple[int, int]
) -> None:
    between = layer_distance(*shape)
    for weight, kernel in ((0.0, start), (1.0, end)):
        blend = Blend(start=start, end=end, weight=weight)
        assert torch.equal(blend.strength(between), kernel.strength(between))


@PROPERTY
@given(plain, plain, st.floats(0.0, 1.0))
def test_a_blend_is_the_weighted_mean_of_two_kernels(
    start: Kernel, end: Kernel, weight: float
) -> None:
    between = layer_distance(7, 9)
    by_hand = (1 - weight) * start.strength(between) + weight * end.strength(between)
    found = Blend(start=start, end=end, weight=weight).strength(between)
    # Strengths up to 2: a few units in the last place.
    torch.testing.assert_close(found, by_hand, rtol=0.0, atol=4 * ROUNDING)


def test_sharpening_changes_the_rate_alone_inside_a_shuffle_or_an_average_too() -> None:
    kernel = Exponential(k=3.0, floor=0.2)
    assert sharpened(kernel, 15) == Exponential(k=15.0, floor=0.2)
    assert sharpened(Shuffled(kernel=kernel, seed=7), 15) == Shuffled(
        kernel=Exponential(k=15.0, floor=0.2), seed=7
    )
    assert sharpened(Averaged(kernel=kernel, power=2), 15) == Averaged(
        kernel=Exponential(k=15.0, floor=0.2), power=2
    )
    assert sharpened(Scaled(kernel=Averaged(kernel=kernel), factor=2.0), 15) == Scaled(
        kernel=Averaged(kernel=Exponential(k=15.0, floor=0.2)), factor=2.0
    )
    assert sharpened(Thresholded(kernel=kernel), 15) == Thresholded(
        kernel=Exponential(k=15.0, floor=0.2)
    )


def test_a_kernel_without_a_rate_is_not_sharpened() -> None:
    with pytest.raises(TypeError, match="Gaussian has no rate k to sharpen"):
        sharpened(Gaussian(), 2.0)


# ── What is refused ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(floor=1.0), r"Linear\.floor: expected 0 <= floor < 1, got 1\.0"),
        (lambda: Inverse(floor=-0.1), r"Inverse\.floor"),
        (lambda: Exponential(k=0.0), r"Exponential\.k: expected a rate > 0, got 0\.0"),
        (lambda: Exponential(k=-3.0), r"Exponential\.k"),
        (lambda: Exponential(floor=2.0), r"Exponential\.floor"),
        (lambda: Gaussian(width=0.0), r"Gaussian\.width: expected a width > 0"),
        (lambda: Gaussian(width=math.nan), r"Gaussian\.width: expected a finite number"),
        (lambda: Uniform(value=-1.0), r"Uniform\.value: expected a kernel value >= 0"),
        (lambda: Blend(start=Linear(), end=Linear(), weight=1.1), r"Blend\.weight"),
        (lambda: Shuffled(kernel=Shuffled(kernel=Linear())), r"already shuffled"),
        (lambda: Averaged(kernel=Linear(), power=3), r"Averaged\.power: expected 1 .*, got 3"),
        (lambda: Averaged(kernel=Linear(), power=0), r"Averaged\.power: .* 2 \(root mean"),
        (lambda: Thresholded(kernel=Linear(), least=0.0), r"Thresholded\.least: expected 0 <"),
        (lambda: Scaled(kernel=Linear(), factor=0.0), r"Scaled\.factor: expected a number > 0"),
        (lambda: Shuffled(kernel=Linear(), seed=-1), r"Shuffled\.seed: expected 0 to"),
        (lambda: Shuffled(kernel=Linear(), seed=2**64), r"Shuffled\.seed: expected 0 to"),
    ],
)
def test_a_setting_out_of_range_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_kernel_is_frozen_and_takes_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Exponential(3.0)  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="k"):
        Exponential().k = 5.0  # type: ignore[misc]
