"""Learning rates that fall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialnb import rates

any_decay = pytest.mark.parametrize("name", rates.DECAYS)


@any_decay
def test_a_decay_goes_from_one_to_nothing(name: str) -> None:
    assert rates.decay(name)(0.0) == 1.0
    assert rates.decay(name)(1.0) == pytest.approx(0.0, abs=1e-16)
    assert rates.decay(name)(0.5) == pytest.approx(0.5, abs=1e-16)


@any_decay
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_decay_never_rises(name: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= rates.decay(name)(high) <= rates.decay(name)(low) <= 1.0


@given(st.floats(0.0, 0.5))
def test_the_cosine_is_slower_at_both_ends(done: float) -> None:
    assert rates.cosine(done) >= rates.linear(done) - 1e-15
    assert rates.cosine(1.0 - done) <= rates.linear(1.0 - done) + 1e-15


def test_an_unknown_decay_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'step'; known: cosine, linear"):
        rates.decay("step")
