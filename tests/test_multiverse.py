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
    ("claim", "holding", "failing", "outcome"),
    [
        (BEATS, 9, 1, "holds in nearly all"),
        (BEATS, 8, 2, "depends on the protocol"),
        (BEATS, 5, 5, "depends on the protocol"),
        (BEATS, 4, 6, "fails in most"),
        (EQUALS, 10, 0, "holds in nearly all"),
        (EQUALS, 1, 9, "fails in most"),
    ],
)
def test_a_claim_is_judged_by_the_share_of_universes(
    claim: ClaimAcross, holding: int, failing: int, outcome: str
) -> None:
    good, bad = ((0.4, 0.2), (-1.0, -0.5)) if claim is BEATS else ((-0.4, 0.4), (0.7, 0.9))
    assert claim.outcome([good] * holding + [bad] * failing) == outcome


def test_no_universe_and_no_other_rule() -> None:
    with pytest.raises(ValueError, match="expected at least one universe"):
        BEATS.outcome([])
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


def test_parts_of_the_universes_make_up_the_whole() -> None:
    results = made(m1.STUDY, accuracy)
    (claim,) = (one for one in m1.CLAIMS if one.key == "sharpening-beats-none")
    found = multiverse.estimates(results, claim, m1.DESIGN)
    values = multiverse.by_value(m1.DESIGN, m1.VALUES)
    parts = {name: multiverse.part(claim, found, codes) for name, codes in values.items()}
    for choice, words in m1.VALUES.items():
        assert sum(parts[f"{choice} {word}"].n for word in words) == 49
    assert sorted(code for codes in m1.SPEEDS.values() for code in codes) == sorted(m1.DESIGN)
    assert parts["initialisation N(0, 0.05²)"].mean == pytest.approx(1.0)
    assert parts["initialisation torch's"].holding == 0
    assert multiverse.part(claim, found, ()).n == 0
    shown = report.part_table(results, [claim], values, "By choice", "choice")
    assert "0 of 12" in shown.html
    said = report.part_numbers(results, [claim], values)
    assert said["m1-sharpening-beats-none-in-initialisation-n-0-0-05"] == "+1.00"


def test_the_table_over_protocols_says_the_outcome_and_the_ledgers_verdict_beside_it() -> None:
    results = m1.STUDY.recorded()
    assert results is not None
    shown = report.across_table(results, m1.CLAIMS, m1.DESIGN)
    numbers = report.across_numbers(results, m1.CLAIMS, m1.DESIGN)
    for claim in m1.CLAIMS:
        found = multiverse.estimates(results, claim, m1.DESIGN)
        outcome = claim.outcome([one.differences for one in found])
        assert numbers[f"m1-{claim.key}"] == outcome
        assert claim.words in shown.text
        assert f"{numbers[f'm1-{claim.key}-holds']} of 49" in shown.text
    assert "contradicted" not in shown.text
    assert "stacks on NVIDIA H200" in shown.text
    assert "m1-claims.csv" in shown.html


def test_what_the_page_says_without_a_number_is_so() -> None:
    results = m1.STUDY.recorded()
    assert results is not None
    outcomes = [one.outcome for one in report.across(results, m1.CLAIMS, m1.DESIGN)]
    assert multiverse.HOLDS not in outcomes
    near = [code for code, _ in multiverse.nearest(results, m1.DESIGN, m1.FINGERPRINT, m1.EPOCHS)]
    assert all(code[5] == "1" and code[6] != "2" for code in near[:4])
    low = [
        arm
        for arm in results.arms
        for value in results.samples(arm, "accuracy").values()
        if value < 12.0
    ]
    assert all(arm[5:7] == "22" for arm in low)


def test_the_ledgers_claims_compare_the_arms_of_the_reference() -> None:
    for claim in m1.CLAIMS:
        if claim.key not in m1.IN_LEDGER:
            continue
        chapter, key = m1.IN_LEDGER[claim.key]
        study = studies.get(chapter)
        (other,) = (one for one in study.claims if one.key == key)
        ours = {m1.STUDY.arms[f"{m1.REFERENCE} {arm}"].id for arm in (claim.arm, claim.against)}
        assert ours <= {study.arms[arm].id for arm in other.arms}
        assert claim.rule == other.rule


def test_no_claim_is_judged_on_fewer_seeds() -> None:
    results = made(dataclasses.replace(m1.STUDY, seeds=(0, 1)), accuracy)
    results = dataclasses.replace(results, study=m1.STUDY)
    found = report.across(results, m1.CLAIMS, m1.DESIGN)
    assert {one.outcome for one in found} == {"not judged"}


def test_the_tables_of_the_nearest_universes_hold_the_logs_numbers() -> None:
    results = made(m1.STUDY, accuracy)
    log = (m1.VALUES, m1.FINGERPRINT, m1.EPOCHS)
    shown = report.nearest_table(results, m1.DESIGN, *log)
    assert ", the reference" in shown.text
    said = report.fingerprint_numbers(results, m1.DESIGN, *log)
    assert said["m1-numbers"] == "16"
    assert said["m1-nearest-distance"] in shown.text
    assert said["m1-nearest-seeds"] == "0.08"  # sqrt(2 / 3) of a standard deviation of 0.1
    by_epoch = report.by_epoch_table(results, m1.DESIGN, *log[1:])
    for text in ("none, the log", "k = 15, nearest", "k 3 → 50, reference", "53.0"):
        assert text in by_epoch.text


def test_runs_of_fewer_epochs_are_not_held_against_the_log() -> None:
    results = dataclasses.replace(made(m1.STUDY, accuracy), epochs=2)
    log = (m1.VALUES, m1.FINGERPRINT, m1.EPOCHS)
    assert report.fingerprint_numbers(results, m1.DESIGN, *log) == {}
    for shown in (
        report.nearest_table(results, m1.DESIGN, *log),
        report.by_epoch_table(results, m1.DESIGN, *log[1:]),
    ):
        assert "these runs have 2 epochs" in shown.text


def test_two_claims_are_counted_together() -> None:
    results = made(m1.STUDY, accuracy)
    by_key = {one.key: one for one in m1.CLAIMS}
    pair = (by_key["sharpening-beats-k3"], by_key["sharpening-beats-none"])
    said = report.two_claims_numbers(results, pair, m1.DESIGN, (1.0, 2.0))
    assert said == {"m1-both": "0", "m1-second-half": "24", "m1-both-half": "0"}
    shown = report.two_claims(results, pair, m1.SPEEDS, (1.0, 2.0))
    assert "k 3 → 50 − none" in shown.html
    assert "the log" in shown.html
