"""How local a mask is: by hand, at both ends, against each null, and in a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from spatialnb import datasets
from spatialnb.config.run import Run, SecondTask
from spatialnb.config.sparsity import Sparse
from spatialnb.priors import local_masks
from spatialnb.priors.geometry import pixels, plane
from spatialnb.priors.mask_locality import MEASURES, locality, nulls, redrawn
from spatialnb.records.store import Record
from spatialnb.study.metrics import measure
from spatialnb.training.loop import train

SHAPE = (3, 12, 12)
UNITS, KEPT = 64, 45
RUN = Run(dataset="quick-colours", hidden=(16, 12), epochs=2, batch_size=64)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def near(permuted: int | None = None) -> Tensor:
    return local_masks.nearest(plane(SHAPE, UNITS, permuted=permuted)[0], KEPT, SHAPE[0])


def test_the_distance_is_that_between_pairs_of_inputs_of_a_unit() -> None:
    # Pixels of a 2 by 2 image stand at the corners of the square; two channels.
    mask = torch.zeros(4, 8, dtype=torch.bool)
    mask[0, [0, 1]] = True  # next to each other: 1
    mask[1, [0, 3, 4]] = True  # across, and pixel 0 in both channels: (√2 + 0 + √2) / 3
    mask[2, 5] = True  # a single input has no pair
    expected = (1.0 + 2.0 * 2.0**0.5 / 3.0) / 2.0
    assert locality(mask, (2, 2, 2))["input_distance"] == pytest.approx(expected)


def test_the_overlap_is_the_share_that_the_plane_has_too() -> None:
    # Four units stand on the four pixels, and keep one input each on average.
    mask = torch.eye(4, dtype=torch.bool)
    found = locality(mask, (1, 2, 2))
    assert (found["plane_overlap"], found["plane_overlap_best"]) == (1.0, 1.0)
    shifted = locality(mask.roll(1, dims=0), (1, 2, 2))
    assert (shifted["plane_overlap"], shifted["plane_overlap_best"]) == (0.0, 1.0)
    assert "input_distance" not in shifted


def test_the_planes_own_mask_overlaps_wholly_and_its_inputs_are_near() -> None:
    found, against = locality(near(), SHAPE), nulls(near(), SHAPE, chance())
    assert found["plane_overlap"] == found["plane_overlap_best"] == 1.0
    for name in ("random", "popular", "permuted"):
        assert found["input_distance"] < 0.5 * against[name]["input_distance"], name
        assert against[name]["plane_overlap_best"] < 0.5, name


def test_units_in_another_order_are_as_local_but_not_at_their_places() -> None:
    order = torch.randperm(UNITS, generator=chance())
    found, own = locality(near()[order], SHAPE), locality(near(), SHAPE)
    assert found["input_distance"] == pytest.approx(own["input_distance"])
    assert found["plane_overlap_best"] == 1.0
    assert found["plane_overlap"] < 0.3


def test_with_permuted_pixels_the_same_mask_is_local_no_more() -> None:
    found, against = locality(near(), SHAPE, permuted=5), nulls(near(), SHAPE, chance(), 5)
    share = found["input_distance"] / against["permuted"]["input_distance"]
    assert share == pytest.approx(1.0, abs=0.1)  # one permutation against the mean of five
    assert locality(near(permuted=5), SHAPE, permuted=5)["plane_overlap"] == 1.0


def test_a_random_mask_is_as_local_as_chance() -> None:
    mask = local_masks.random((UNITS, 432), KEPT, chance(3))
    found, against = locality(mask, SHAPE), nulls(mask, SHAPE, chance())
    places = pixels(SHAPE)
    every = torch.cdist(places, places).sum() / (432 * 431)
    for null in ("random", "popular"):
        assert against[null]["input_distance"] == pytest.approx(float(every), rel=0.01)
        for name in MEASURES:
            assert found[name] == pytest.approx(against[null][name], rel=0.1), (null, name)


def test_units_that_all_prefer_the_middle_are_local_to_a_random_mask_alone() -> None:
    middle = (pixels(SHAPE) - 0.5).abs().max(dim=1).values < 0.25
    scores = torch.rand(UNITS, 432, generator=chance(1)) * middle
    mask = torch.zeros(UNITS, 432, dtype=torch.bool)
    mask.scatter_(1, scores.topk(30, dim=1).indices, True)
    found, against = locality(mask, SHAPE), nulls(mask, SHAPE, chance())
    assert found["input_distance"] < 0.7 * against["random"]["input_distance"]
    assert found["input_distance"] == pytest.approx(against["popular"]["input_distance"], rel=0.02)


def test_channels_of_one_pixel_are_no_locality_to_the_permuted_null() -> None:
    pixel = local_masks.random((1000, 144), 5, chance(2))
    mask = pixel.repeat(1, 3)
    found, against = locality(mask, SHAPE), nulls(mask, SHAPE, chance())
    assert found["input_distance"] < 0.9 * against["random"]["input_distance"]
    assert found["input_distance"] == pytest.approx(against["permuted"]["input_distance"], rel=0.03)


@pytest.mark.parametrize("popular", [False, True])
def test_a_redrawn_mask_has_as_many_inputs_a_unit_and_may_keep_their_popularity(
    popular: bool,
) -> None:
    mask = torch.rand(41, 432, generator=chance()) < torch.linspace(0.0, 0.9, 432)
    other = redrawn(mask, chance(7), popular)
    assert torch.equal(other.sum(dim=1), mask.sum(dim=1))
    assert torch.equal(other.sum(dim=0), mask.sum(dim=0)) == popular
    assert torch.equal(other, redrawn(mask, chance(7), popular))
    assert not torch.equal(other, redrawn(mask, chance(8), popular))


def test_what_a_unit_kept_is_forgotten_when_it_is_redrawn() -> None:
    mask = near()
    shared = (redrawn(mask, chance(), popular=True) & mask).sum() / mask.sum()
    expected = KEPT / 432  # every input is about as popular
    assert float(shared) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("mask", "shape", "message"),
    [
        (torch.ones(2, 9) > 0, (1, 3, 4), r"expected \(units, 12\) for images"),
        (torch.ones(9) > 0, (1, 3, 3), r"got \(9,\)"),
        (torch.ones(2, 9) > 0, (9,), "pixel positions need images"),
    ],
)
def test_a_mask_of_another_image_is_refused(
    mask: Tensor, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        locality(mask, shape)


@pytest.mark.parametrize(
    "sparse",
    [
        Sparse(zeros=0.8, places="nearest", layers="first"),
        Sparse(zeros=0.8, method="imp", rounds=2),
        Sparse(zeros=0.8, method="st3"),
    ],
    ids=lambda one: one.method,
)
def test_a_run_measures_its_mask_and_trains_as_it_would_without(sparse: Sparse) -> None:
    data = datasets.load(RUN.dataset)
    run = replace(RUN, sparse=sparse, positions="plane", mask_locality=True)
    outcome = train(run, data).outcome
    plain = train(replace(run, mask_locality=None), data).outcome
    assert outcome["epochs"]["test_accuracy"] == plain["epochs"]["test_accuracy"]
    record = Record(kind="run", config=run.to_dict(), outcome=outcome)
    here, null = (measure(record, f"input_distance{part}") for part in ("", ":random"))
    assert measure(record, "input_distance_share") == pytest.approx(100.0 * here / null)
    assert measure(record, "input_distance@1") == here
    overlap = measure(record, "plane_overlap")
    if sparse.places == "nearest":
        # Some pixels are black in every image, so that their weights stay as they were drawn.
        assert overlap == pytest.approx(100.0, abs=1.0)
        assert here < 0.6 * null
    else:
        assert overlap < 50.0
    assert measure(record, "plane_overlap_best:permuted") < 100.0


def test_not_asked_for_is_the_run_that_never_heard_of_it() -> None:
    assert Run(mask_locality=False).id == Run().id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "convolutional"}, "mask_locality: expected a multilayer perceptron"),
        ({"second": SecondTask()}, "mask_locality: expected a multilayer perceptron"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Run(mask_locality=True, **settings)


def test_text_has_no_pixels_to_be_local_in() -> None:
    with pytest.raises(ValueError, match="pixel positions need images"):
        train(Run(dataset="quick-text", epochs=1, hidden=(4,), mask_locality=True))
