"""Claims over many protocols, and the protocols themselves."""

from __future__ import annotations

import pytest

from spatialnb import studies
from spatialnb.config.run import Run
from spatialnb.studies import m1_protocols as m1
from spatialnb.study.multiverse import ClaimAcross

BEATS = ClaimAcross(key="a", words="A beats b.", arm="a", against="b")
EQUALS = ClaimAcross(key="a", words="A equals b.", arm="a", against="b", rule="equals")


@pytest.mark.parametrize(
    ("claim", "holding", "failing", "verdict"),
    [
        (BEATS, 9, 1, "holds"),
        (BEATS, 8, 2, "depends on the protocol"),
        (BEATS, 5, 5, "depends on the protocol"),
        (BEATS, 4, 6, "contradicted"),
        (EQUALS, 10, 0, "holds"),
        (EQUALS, 1, 9, "contradicted"),
    ],
)
def test_a_claim_is_judged_by_the_share_of_universes(
    claim: ClaimAcross, holding: int, failing: int, verdict: str
) -> None:
    good, bad = ((0.4, 0.2), (-1.0, -0.5)) if claim is BEATS else ((-0.4, 0.4), (0.7, 0.9))
    assert claim.verdict([good] * holding + [bad] * failing) == verdict


def test_no_universe_and_no_other_rule() -> None:
    with pytest.raises(ValueError, match="expected at least one universe"):
        BEATS.verdict([])
    with pytest.raises(ValueError, match="unknown rule 'between'; known: beats, equals"):
        ClaimAcross(key="a", words="", arm="a", against="b", rule="between")


def test_the_reference_universe_is_the_protocol_of_the_other_chapters() -> None:
    assert m1.UNIVERSES[0].run == Run()
    published = {r.id for s in studies.STUDIES.values() for r in s.arms.values()}
    theirs = [m1.STUDY.arms[m1.UNIVERSES[0].arm(name)].id for name in m1.ARMS]
    assert set(theirs) <= published


def test_universes_differ_and_use_every_value_of_every_choice_about_as_often() -> None:
    assert len({universe.run.id for universe in m1.UNIVERSES}) == len(m1.DESIGN) == 49
    for place in range(len(m1.CHOICES)):
        values = [code[place] for code in m1.DESIGN[1:]]
        counts = [values.count(value) for value in set(values)]
        assert max(counts) - min(counts) <= 2


def test_the_design_is_the_sequence_that_is_named() -> None:
    import numpy as np
    from scipy.stats import qmc

    sizes = (3, 3, 4, 3, 2, 3, 3)
    points = qmc.Sobol(d=7, scramble=True, rng=np.random.default_rng(47)).random(64)[:48]
    codes = ["".join(str(int(x * n)) for x, n in zip(p, sizes, strict=True)) for p in points]
    assert tuple(codes) == m1.DESIGN[1:]


def test_every_claim_compares_arms_of_every_universe() -> None:
    for claim in m1.CLAIMS:
        assert {claim.arm, claim.against} <= m1.ARMS.keys()
