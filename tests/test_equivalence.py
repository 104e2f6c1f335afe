"""The demonstration of chapter c1."""

from __future__ import annotations

import pytest

from spatialnb.priors.folded_optimizer import PARTS
from spatialnb.priors.kernels import Averaged, Exponential, Uniform
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.training import equivalence

SHARPEN = Sharpen(k_start=3, k_end=50)


def test_both_ways_are_one_training_and_weights_move() -> None:
    rows = equivalence.compare({"sharpen": SHARPEN, "none": Static()}, epochs=3, steps=4)
    names = [(row.schedule, row.optimizer) for row in rows]
    assert names == [(s, o) for s in ("sharpen", "none") for o in equivalence.OPTIMIZERS]
    assert all(row.apart < 1e-10 for row in rows)
    assert all(row.moved > 1e-3 for row in rows)


def test_what_is_left_out_sets_them_apart() -> None:
    chosen = equivalence.without_each()
    rows = equivalence.compare({"sharpen": SHARPEN}, ["Adam"], chosen, epochs=3, steps=4)
    assert [row.parts for row in rows] == [", ".join(parts) for parts in chosen]
    assert rows[0].parts == ", ".join(PARTS)
    assert [row.apart > 1e-4 for row in rows] == [False, True, True, True, True]


def test_the_mean_strength_by_epoch_is_what_an_averaged_kernel_gives() -> None:
    shape = (6, 9)
    averaged = Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
    means = equivalence.mean_strengths(SHARPEN, 4, shape)
    assert means == sorted(means, reverse=True)
    assert means == pytest.approx(equivalence.mean_strengths(averaged, 4, shape), abs=1e-12)
    assert equivalence.mean_strengths(Static(kernel=Uniform(value=0.5)), 2, shape) == [0.5, 0.5]
