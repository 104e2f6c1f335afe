"""Claims over many protocols, and the protocols themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from spatialnb import report, studies
from spatialnb.config.run import Run
from spatialnb.records.store import Record
from spatialnb.studies import m1_protocols as m1
from spatialnb.study import multiverse
from spatialnb.study.multiverse import ClaimAcross
from spatialnb.study.results import Results
from spatialnb.study.study import Study

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
    for place in range(len(m1.VALUES)):
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


def made(study: Study, value: Callable[[str, int, int], float]) -> Results:
    """Results of a study without pairs: accuracy as `value` gives it of arm, seed and epoch."""
    records = {
        arm: {
            run.seed: Record(
                kind="run",
                config=run.to_dict(),
                outcome={
                    "status": "finished",
                    "epochs": {
                        "test_accuracy": [value(arm, run.seed, epoch) for epoch in range(12)]
                    },
                    "final": {},
                },
            )
            for run in runs
        }
        for arm, runs in study.configs().items()
    }
    return Results(
        study=study, dataset=study.dataset, epochs=12, seeds=study.seeds, records=records
    )


def accuracy(arm: str, seed: int, epoch: int) -> float:
    """Sharpening gains a point for every digit above the reference's, and loses one below."""
    code, _, name = arm.partition(" ")
    gain = 0.01 * (int(code[2]) - 1) if name == "k 3 → 50" else 0.0
    return 0.4 + 0.01 * epoch + 0.001 * seed + gain


def test_estimates_are_paired_by_seed_and_sorted() -> None:
    results = made(m1.STUDY, accuracy)
    (claim,) = (one for one in m1.CLAIMS if one.key == "sharpening-beats-none")
    found = multiverse.estimates(results, claim, m1.DESIGN)
    assert len(found) == 49
    assert [one.mean for one in found] == sorted(one.mean for one in found)
    assert found[0].differences == pytest.approx((-1.0, -1.0, -1.0))
    assert found[-1].mean == pytest.approx(2.0)
    held = [one for one in found if claim.holds_in(one.differences)]
    assert {one.code[2] for one in held} <= {"2", "3"}


def test_a_universe_is_judged_on_the_seeds_that_did_not_fail() -> None:
    results = made(m1.STUDY, accuracy)
    (claim,) = (one for one in m1.CLAIMS if one.key == "exponential-beats-none")
    failed = {"status": "failed", "failed_epoch": 0, "epochs": {"test_accuracy": []}}
    records = {arm: dict(by_seed) for arm, by_seed in results.records.items()}
    arms = [f"{code} none" for code in m1.DESIGN[:2]]
    for arm, seeds in zip(arms, ((0,), (0, 1, 2)), strict=True):
        for seed in seeds:
            old = records[arm][seed]
            records[arm][seed] = Record(kind="run", config=old.config, outcome=failed)
    results = dataclasses.replace(results, records=records)
    found = {one.code: one for one in multiverse.estimates(results, claim, m1.DESIGN)}
    assert len(found[m1.DESIGN[0]].differences) == 2
    assert m1.DESIGN[1] not in found
    near = multiverse.nearest(results, m1.DESIGN, m1.FINGERPRINT, m1.EPOCHS)
    assert not {code for code, _ in near} & set(m1.DESIGN[:2])


def test_the_nearest_universe_is_the_one_with_the_fingerprint() -> None:
    log, chosen = m1.FINGERPRINT, m1.DESIGN[7]

    def value(arm: str, seed: int, epoch: int) -> float:
        code, _, name = arm.partition(" ")
        there = dict(zip(m1.EPOCHS, log.get(name, (0.0,) * 5), strict=True)).get(epoch)
        right = 0.0 if there is None else there / 100
        return right + (seed - 1) * 0.01 + (0.0 if code == chosen else 0.03)

    near = multiverse.nearest(made(m1.STUDY, value), m1.DESIGN, log, m1.EPOCHS)
    assert near[0] == (chosen, pytest.approx(0.0, abs=1e-9))
    assert near[1][1] == pytest.approx(3.0)


def test_a_fingerprint_of_other_arms_or_epochs_is_refused() -> None:
    with pytest.raises(ValueError, match="arm 'none': expected 5 numbers"):
        multiverse.distance({"none": [1.0]}, {"none": (1.0,) * 5})


def test_a_specification_curve_shows_every_universe_and_what_it_is_made_of() -> None:
    (claim,) = (one for one in m1.CLAIMS if one.key == "sharpening-beats-none")
    found = multiverse.estimates(made(m1.STUDY, accuracy), claim, m1.DESIGN)
    shown = report.specification_curve(claim, found, m1.VALUES, "m1-sharpening")
    held = sum(one.code[2] in "23" for one in found)
    assert (
        f"It holds in {held} of 49 universes; differences from -1.00 to 2.00"
        in shown.text.replace("−", "-")
    )
    for words in ("SGD, rate × 10", "N(0, 0.1²)", "m1-sharpening.csv"):
        assert words in shown.html
    with pytest.raises(ValueError, match="expected at least one universe"):
        report.specification_curve(claim, [], m1.VALUES, "m1")
