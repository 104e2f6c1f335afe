"""What each arm gains over the learning rate, in one figure."""

from __future__ import annotations

import dataclasses

from spatialnb.report.whole_figure import LOWEST, Sweep, whole_figure
from spatialnb.studies import c2c_learning_rates as adam
from spatialnb.study.results import Results
from tests import synthetic

LINE = adam.GRID["constant"]["none"]
BASE = "none, 0.004, constant"


def swept(by_arm: dict[str, float]) -> Results:
    """The search of c2c with made accuracies, 0.5 where none is given."""
    study = adam.STUDY
    records = {
        arm: {
            seed: synthetic.validation_record(
                dataclasses.replace(run, seed=seed), by_arm.get(arm, 0.5)
            )
            for seed in study.seeds
        }
        for arm, run in study.arms.items()
    }
    return Results(
        study=study, dataset=study.dataset, epochs=study.epochs, seeds=study.seeds, records=records
    )


def test_gains_are_over_the_baseline_and_the_highest_is_said() -> None:
    results = swept({BASE: 0.48, "none, 0.001, constant": 0.51, "none, 0.016, constant": 0.2})
    other = adam.GRID["linear"]["k 3 → 50"]
    shown = whole_figure(
        {"plain": Sweep(results, LINE), "kernel": Sweep(results, other, joined=False)}, BASE
    )
    assert "plain: +3.0 points at 0.001." in shown.text
    assert "kernel: +2.0 points at 0.000125." in shown.text
    assert "under Adam at 0.004 (48.00 %)" in shown.text
    assert "Not shown, because they lie lower: 1." in shown.text  # at 0.016, by 28 points
    assert LOWEST > 100 * (0.2 - 0.48)
    assert shown.html.count("<svg") == 2  # for a phone, and for wider columns
