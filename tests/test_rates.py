"""Learning rates that fall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialnb.config import lr_schedules

any_decay = pytest.mark.parametrize("name", tuple(lr_schedules.decays))


@any_decay
def test_a_decay_goes_from_one_to_nothing(name: str) -> None:
    assert lr_schedules.decays.get(name)(0.0) == 1.0
    assert lr_schedules.decays.get(name)(1.0) == pytest.approx(0.0, abs=1e-16)
    assert lr_schedules.decays.get(name)(0.5) == pytest.approx(0.5, abs=1e-16)


@any_decay
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_decay_never_rises(name: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= lr_schedules.decays.get(name)(high) <= lr_schedules.decays.get(name)(low) <= 1.0


@given(st.floats(0.0, 0.5))
def test_the_cosine_is_slower_at_both_ends(done: float) -> None:
    assert lr_schedules.cosine(done) >= lr_schedules.linear(done) - 1e-15
    assert lr_schedules.cosine(1.0 - done) <= lr_schedules.linear(1.0 - done) + 1e-15


def test_an_unknown_decay_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'step'; known: cosine, linear"):
        lr_schedules.decays.get("step")
