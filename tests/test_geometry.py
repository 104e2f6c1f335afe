"""Where neurons are, and how far a connection reaches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb.geometry import distance, layer_distance, positions

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
    with pytest.raises(ValueError, match=f"at least 1 neuron, got {neurons}"):
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
