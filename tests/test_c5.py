"""c5 · Are two networks alike: its grid and its claims, as they were written before its runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import synthetic

from spatialnb import report
from spatialnb.analysis import pair_measures
from spatialnb.execution.planning import pair_config
from spatialnb.records.store import Record
from spatialnb.studies import STUDIES, get
from spatialnb.study import metrics
from spatialnb.study.results import Results

STUDY = get("c5")

LINES = {
    "straight": 0.6,
    "renumbered": 0.9,
    "matched": 0.2,
    "repaired": 0.5,
    "matched-repaired": 0.1,
}


def outcome(shift: float) -> dict[str, object]:
    """What the record of a pair holds, in the form of `alignment.compare`."""
    parts = {"0": 0.1, "1": 0.1, "overall": 0.1 + shift}
    likes = ("cosine", "renumbered", "matched", "dealt", "cka", "cka_untrained")
    moved = ("moved", "moved_dealt", "moved_chance")
    height = {name: {"loss": top + shift, "accuracy": top / 2} for name, top in LINES.items()}
    return {
        **dict.fromkeys((*likes, *moved), parts),
        "agreement": 0.6 + shift,
        "agreement_chance": 0.3,
        "alphas": [step / 10 for step in range(11)],
        "lines": {
            name: {
                "loss": [1.0 + shift] * 5 + [1.0 + top] + [1.0 - shift] * 5,
                "accuracy": [0.5] * 5 + [0.5 - top / 2] + [0.5] * 5,
                "barrier": height[name],
            }
            for name, top in LINES.items()
        },
    }


def results() -> Results:
    """Made records; in every arm renumbering costs the same 0.3 nats."""
    made = synthetic.results(STUDY)
    pairs = {
        arm: {
            (a.seed, b.seed): Record(
                kind="pair",
                config=pair_config(a, b, "alignment"),
                outcome=outcome(0.001 * a.seed * place),
            )
            for a, b, _ in STUDY.pairs_of(configs)
        }
        for place, (arm, configs) in enumerate(STUDY.configs().items())
    }
    return Results(
        study=STUDY,
        dataset=made.dataset,
        epochs=made.epochs,
        seeds=made.seeds,
        records=made.records,
        pairs=pairs,
    )


def test_only_the_asymmetric_network_is_not_another_chapters_run() -> None:
    others = {
        run.id
        for study in STUDIES.values()
        for run in study.arms.values()
        if study.id not in ("c5",)
    }
    assert [arm for arm, run in STUDY.arms.items() if run.id not in others] == ["asymmetric"]


def test_ten_disjoint_pairs_an_arm_are_measured() -> None:
    assert STUDY.seeds == tuple(range(20))
    for configs in STUDY.configs().values():
        pairs = STUDY.pairs_of(configs)
        assert [(a.seed, b.seed) for a, b, _ in pairs] == [(i, i + 1) for i in range(0, 20, 2)]
        assert {measure for _, _, measure in pairs} == {"alignment"}


def test_every_metric_of_the_chapter_is_in_a_pairs_record() -> None:
    found = results()
    for name in STUDY.metrics:
        values = found.samples("none", name)
        assert len(values) == (20 if metrics.metric(name).kind == "run" else 10)
    assert found.samples("none", "barrier")[0, 1] == pytest.approx(0.6)
    assert found.samples("none", "barrier:matched-repaired")[0, 1] == pytest.approx(0.1)
    assert found.samples("none", "drop:renumbered")[0, 1] == pytest.approx(45.0)
    assert found.samples("none", "agreement_excess")[0, 1] == pytest.approx(30.0)
    assert found.samples("none", "matched_excess")[0, 1] == 0.0


def test_claims_are_judged_when_all_pairs_are_there() -> None:
    findings = {found.claim.key: found for found in results().findings()}
    assert list(findings) == [claim.key for claim in STUDY.claims]
    assert not [key for key, found in findings.items() if found.verdict == "not judged"]
    assert findings["plain-has-no-places"].verdict == "contradicted"
    assert findings["plain-has-no-places"].interval.estimate == pytest.approx(0.3)
    assert findings["sharpening-needs-no-matching"].verdict == "contradicted"


def test_what_can_be_measured_is_named_in_one_way() -> None:
    assert tuple(pair_measures.MEASURES) == metrics.MEASURES
    with pytest.raises(ValueError, match="study c5: unknown measure 'alignement'; known"):
        replace(STUDY, measure="alignement")


@pytest.mark.parametrize(("quantity", "top"), [("loss", "1.90"), ("accuracy", "5.0")])
def test_the_figure_says_every_line_halfway_and_at_the_ends(quantity: str, top: str) -> None:
    shown = report.lines(results(), quantity)
    for arm in STUDY.arms:
        assert f"{arm}: original order" in shown.text
    assert f"permuted at random {top}" in shown.text
    assert "n = 10" in shown.text
    assert f"c5-lines-{quantity}.csv" in shown.html
    assert shown.html.count("<svg") == 2  # for a phone, and for wider columns


def test_the_figure_draws_the_arms_asked_for_and_refuses_others() -> None:
    shown = report.lines(results(), arms=["none", "asymmetric"])
    assert "exponential" not in shown.text
    with pytest.raises(ValueError, match="unknown arm 'nobody'"):
        report.lines(results(), arms=["nobody"])
