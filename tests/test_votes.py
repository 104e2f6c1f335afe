"""What networks answer: by hand, and by counting pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb.analysis import votes

GIVEN = np.array([[0, 1, 2, 2], [0, 2, 2, 1], [1, 2, 2, 0]], dtype=np.uint8)


def test_the_vote_is_the_class_that_most_give_and_of_two_the_lower() -> None:
    assert votes.vote(GIVEN, 3).tolist() == [0, 2, 2, 0]


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 5), st.integers(1, 8), st.integers(0, 999))
def test_agreement_is_the_mean_over_pairs(networks: int, images: int, seed: int) -> None:
    given = np.random.default_rng(seed).integers(0, 3, (networks, images)).astype(np.uint8)
    pairs = [(a == b).mean() for a, b in itertools.combinations(given, 2)]
    assert votes.agreement(given, 3) == pytest.approx(np.mean(pairs))


def test_accuracy_by_class_leaves_a_class_without_images_out() -> None:
    found = votes.accuracy_by_class(GIVEN, np.array([0, 2, 2, 0], dtype=np.uint8), 3)
    assert found[:, 0].tolist() == [0.5, 0.5, 0.5]
    assert found[:, 2].tolist() == [0.5, 1.0, 1.0]
    assert np.isnan(found[:, 1]).all()


def test_one_network_does_not_agree_with_itself() -> None:
    with pytest.raises(ValueError, match="at least two networks, got 1"):
        votes.agreement(GIVEN[:1], 3)


def test_answers_of_one_network_are_no_table() -> None:
    with pytest.raises(ValueError, match="expected answers"):
        votes.counts(GIVEN[0], 3)
