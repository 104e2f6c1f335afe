"""Where neurons are, and how far a connection reaches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb.datasets.images import image_tensors
from spatialnb.priors.geometry import distance, grid, layer_distance, pixels, plane, positions

EXACT = {"rtol": 0.0, "atol": 0.0}
ROUNDING = {
    "rtol": 0.0,
    "atol": 4e-16,
}  # numbers in [0, 1]: a few units in the last place of float64


@pytest.mark.parametrize("neurons", [2, 3, 10, 256, 3072])
def test_positions_are_evenly_spaced_with_both_ends_included(neurons: int) -> None:
    by_hand = torch.tensor([[i / (neurons - 1)] for i in range(neurons)], dtype=torch.float64)
    torch.testing.assert_close(positions(neurons), by_hand, **ROUNDING)
    assert positions(neurons)[0].item() == 0.0
    assert positions(neurons)[-1].item() == 1.0


def test_a_single_neuron_stands_in_the_middle() -> None:
    assert positions(1).tolist() == [[0.5]]


@pytest.mark.parametrize("neurons", [0, -1])
def test_a_layer_without_neurons_is_refused(neurons: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 unit, got {neurons}"):
        positions(neurons)


def test_distances_are_outputs_by_inputs() -> None:
    expected = torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(layer_distance(2, 3), expected, **EXACT)


@settings(deadline=None, max_examples=50)
@given(out=st.integers(1, 40), into=st.integers(1, 40))
def test_distances_lie_in_the_unit_interval_and_mirror_with_the_layer(out: int, into: int) -> None:
    between = layer_distance(out, into)
    assert between.shape == (out, into)
    assert between.dtype == torch.float64
    assert 0.0 <= between.min() <= between.max() <= 1.0
    torch.testing.assert_close(between, layer_distance(into, out).T, **EXACT)
    # Counting neurons from the other end changes nothing.
    torch.testing.assert_close(between, between.flip(0, 1), **ROUNDING)


point = st.lists(st.floats(-10, 10), min_size=3, max_size=3)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(point, min_size=1, max_size=5),
    st.lists(point, min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_distance_is_euclidean_in_any_number_of_axes(
    outputs: list[list[float]], inputs: list[list[float]], axes: int
) -> None:
    outputs, inputs = ([one[:axes] for one in many] for many in (outputs, inputs))
    by_hand = [[math.dist(a, b) for b in inputs] for a in outputs]
    found = distance(
        torch.tensor(outputs, dtype=torch.float64), torch.tensor(inputs, dtype=torch.float64)
    )
    # Coordinates up to 10: float64 rounding of a sum of squares stays far below this.
    torch.testing.assert_close(
        found, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("axes", [1, 2])
def test_positions_in_single_precision_give_distances_in_double(axes: int) -> None:
    assert distance(torch.zeros(2, axes), torch.ones(3, axes)).dtype == torch.float64


@pytest.mark.parametrize(
    ("outputs", "inputs"), [((3,), (3, 1)), ((3, 1), (3,)), ((3, 1), (3, 2)), ((1, 3, 1), (3, 1))]
)
def test_positions_that_do_not_fit_each_other_are_refused(
    outputs: tuple[int, ...], inputs: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"expected positions \(out, axes\) and \(in, axes\)"):
        distance(torch.zeros(outputs), torch.zeros(inputs))


# ── The plane ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("neurons", "rows", "columns"),
    [(256, 16, 16), (128, 8, 16), (10, 2, 5), (12, 3, 4), (48, 6, 8), (2, 1, 2), (1, 1, 1)],
)
def test_a_grid_is_as_nearly_square_as_its_number_allows(
    neurons: int, rows: int, columns: int
) -> None:
    down, across = positions(rows).flatten().tolist(), positions(columns).flatten().tolist()
    by_hand = [[y, x] for y in down for x in across]
    assert grid(neurons).tolist() == by_hand
    assert grid(neurons).dtype == torch.float64


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2000))
def test_every_neuron_of_a_grid_has_a_place_of_its_own_on_the_plane(neurons: int) -> None:
    places = grid(neurons)
    assert places.shape == (neurons, 2)
    assert len({tuple(place) for place in places.tolist()}) == neurons
    assert 0.0 <= places.min() <= places.max() <= 1.0
    rows, columns = (len(set(places[:, axis].tolist())) for axis in (0, 1))
    assert rows * columns == neurons
    assert rows <= columns
    # No factor lies between the number of rows and the square root.
    assert all(neurons % n for n in range(rows + 1, math.isqrt(neurons) + 1))


@pytest.mark.parametrize("neurons", [7, 251])
def test_a_prime_number_of_neurons_is_one_row_in_the_middle(neurons: int) -> None:
    assert set(grid(neurons)[:, 0].tolist()) == {0.5}
    torch.testing.assert_close(grid(neurons)[:, 1:], positions(neurons), **EXACT)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from([1, 3]), st.integers(2, 9), st.integers(2, 9))
def test_a_lit_pixel_stands_where_it_is_in_the_image(
    data: st.DataObject, channels: int, height: int, width: int
) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    image = torch.zeros(1, channels, height, width, dtype=torch.uint8)
    image[0, :, row, column] = 255
    flat = {f"{split}.{part}": image for split in ("train", "test") for part in "xy"}
    lit = image_tensors(flat, channels)["train.x"][0].nonzero().flatten()
    places = pixels((channels, height, width))
    assert places.shape == (channels * height * width, 2)
    assert len(lit) == channels
    expected = [[row / (height - 1), column / (width - 1)]] * channels
    torch.testing.assert_close(places[lit], torch.tensor(expected, dtype=torch.float64), **ROUNDING)


def test_the_channels_of_an_image_follow_each_other() -> None:
    image = torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
    image[0, 1, 2, 3] = 255
    flat = {f"{split}.{part}": image for split in ("train", "test") for part in "xy"}
    (lit,) = image_tensors(flat, 3)["train.x"][0].nonzero().flatten().tolist()
    assert lit == 1 * 20 + 2 * 5 + 3
    assert pixels((3, 4, 5))[lit].tolist() == [pytest.approx(2 / 3), 0.75]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31 - 1), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))
def test_permuted_pixels_trade_places_and_keep_their_channels_together(
    seed: int, channels: int, height: int, width: int
) -> None:
    shape = (channels, height, width)
    own, permuted = (pixels(shape, by).reshape(channels, -1, 2) for by in (None, seed))
    assert sorted(permuted[0].tolist()) == sorted(own[0].tolist())
    assert all(torch.equal(channel, permuted[0]) for channel in permuted)
    assert torch.equal(pixels(shape, seed), permuted.reshape(-1, 2))


def test_another_permutation_is_another_one() -> None:
    one, other, again = (pixels((3, 8, 8), seed) for seed in (1, 2, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, pixels((3, 8, 8)))


def test_permuted_places_are_permuted_images() -> None:
    shape = (3, 4, 5)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 60, generator=generator, dtype=torch.float64)
    image = torch.randn(60, generator=generator, dtype=torch.float64)
    own, permuted = (torch.exp(-3 * plane(shape, 6, permuted=by)[0]) for by in (None, 8))
    # order[i] is the pixel at whose place input i stands.
    order = torch.cdist(pixels(shape, 8)[:20], pixels(shape)[:20]).argmin(dim=1)
    order = torch.cat([order + 20 * channel for channel in range(3)])
    moved = torch.empty_like(image)
    moved[order] = image
    renamed = torch.empty_like(weight)
    renamed[:, order] = weight
    torch.testing.assert_close(
        (weight * permuted) @ image, (renamed * own) @ moved, rtol=1e-12, atol=1e-12
    )


def test_distances_on_the_plane_are_those_between_pixels_and_grids() -> None:
    first, second, third = plane((3, 32, 32), 256, 128, 10)
    assert [tuple(between.shape) for between in (first, second, third)] == [
        (256, 3072),
        (128, 256),
        (10, 128),
    ]
    # Hidden neuron 17 of 16 x 16 and the blue pixel in row 3, column 30.
    by_hand = math.dist((1 / 15, 1 / 15), (3 / 31, 30 / 31))
    assert first[17, 2 * 1024 + 3 * 32 + 30].item() == pytest.approx(by_hand, rel=1e-14)
    # Neuron 20 of 8 x 16 and neuron 17 of 16 x 16; output 7 of 2 x 5 and neuron 20.
    assert second[20, 17].item() == pytest.approx(math.dist((1 / 7, 4 / 15), (1 / 15, 1 / 15)))
    assert third[7, 20].item() == pytest.approx(math.dist((1.0, 0.5), (1 / 7, 4 / 15)))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 40))
def test_no_two_places_on_the_plane_are_farther_than_its_diagonal(
    channels: int, height: int, width: int, neurons: int
) -> None:
    for between in plane((channels, height, width), neurons, 10):
        assert 0.0 <= between.min() <= between.max() <= math.sqrt(2.0) * (1 + 1e-15)


@pytest.mark.parametrize("shape", [(5000,), (28, 28), (3, 0, 4), ()])
def test_a_shape_that_is_no_image_has_no_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"pixel positions need images: .* \(channels, height, width\)"
    ):
        pixels(shape)


@pytest.mark.parametrize("neurons", [0, -4])
def test_a_grid_without_neurons_is_refused(neurons: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 unit, got {neurons}"):
        grid(neurons)
