"""The rows of a study's table: reported value, our mean, and the paired difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spatialnb.study import inference, metrics
from spatialnb.study.inference import Interval
from spatialnb.study.log_protocol import LOG_PROTOCOLS
from spatialnb.study.metrics import NotRecordedError
from spatialnb.study.results import Results, SeedPair

EMPTY = Interval(math.nan, math.nan, math.nan, 0, math.nan)


@dataclass(frozen=True, kw_only=True)
class Row:
    """An arm's row in a table.

    `difference` is the difference to the baseline, or to the arm that the study compares it with,
    paired by seed; None for an arm that is compared with itself.
    `expected` is the range in which 95 % of means over as many seeds as the log has would lie under
    our protocol; given if the log reports a number and it varies between seeds.
    `expected_difference` is the same for the reported difference. `ours` has n = 0 if the arm does
    not have the metric, or if every run failed.
    """

    arm: str
    ours: Interval
    difference: Interval | None
    reported: float | None
    reported_sd: float | None
    reported_difference: float | None
    failed: int
    expected: tuple[float, float] | None = None
    expected_difference: tuple[float, float] | None = None


def summarise(results: Results, metric: str) -> list[Row]:
    """The rows of a table, one per arm, in the study's order.

    A seed whose run failed in either arm is left out of their difference, which has a smaller n.
    """
    study = results.study
    rows = []
    for arm in results.arms:
        against = study.base_of(arm)
        base = values(results, against, metric)
        base_cell = study.reported_cell(against, metric)
        ours = values(results, arm, metric)
        cell = study.reported_cell(arm, metric)
        reported_difference = None
        if arm != against and cell is not None and base_cell is not None:
            reported_difference = cell.value - base_cell.value
        common = [key for key in ours if key in base]
        difference = (
            inference.paired_difference(
                {key: ours[key] for key in common}, {key: base[key] for key in common}
            )
            if common
            else EMPTY
        )
        rows.append(
            Row(
                arm=arm,
                ours=inference.mean_interval(list(ours.values())) if ours else EMPTY,
                difference=None if arm == against else difference,
                reported=None if cell is None else cell.value,
                reported_sd=None if cell is None else cell.sd,
                reported_difference=reported_difference,
                failed=len(results.failed(arm)),
                expected_difference=None
                if reported_difference is None
                else _expected(
                    results, metric, [ours[key] - base[key] for key in ours if key in base]
                ),
                expected=None if cell is None else _expected(results, metric, list(ours.values())),
            )
        )
    return rows


def _expected(results: Results, metric: str, samples: list[float]) -> tuple[float, float] | None:
    count = log_count(results.study.id, metric)
    if not count or len(samples) < 2 or results.quick:
        return None
    low, high = inference.prediction_interval(samples, count)
    return (low, high) if low < high else None


def grouped(results: Results, metric: str) -> list[list[Row]]:
    """The rows of a table, in groups of arms whose values are equal in every seed.

    Arms with n = 0 are left out, unless their runs failed, the log reports a number for them, or no
    arm has the metric. The baseline always has a separate group.
    """
    rows = summarise(results, metric)
    measured = [row for row in rows if row.ours.n or row.failed or row.reported is not None]
    groups: dict[object, list[Row]] = {}
    for row in measured if any(row.ours.n for row in rows) else rows:
        found = values(results, row.arm, metric)
        single = row.difference is None or row.failed or len(found) < 2
        same = row.arm if single else (tuple(found.items()), row.reported, row.reported_sd)
        groups.setdefault(same, []).append(row)
    return list(groups.values())


def log_count(chapter: str, metric: str) -> int:
    """The number of seeds, or pairs of seeds, in the log's means; 0 if not in the log."""
    protocol = LOG_PROTOCOLS.get(chapter)
    if protocol is None:
        return 0
    return protocol.seeds // 2 if metrics.metric(metric).kind == "pair" else protocol.seeds


def values(results: Results, arm: str, metric: str) -> dict[int | SeedPair, float]:
    """Samples of an arm; empty if its records do not contain the metric."""
    try:
        return results.samples(arm, metric)
    except NotRecordedError:
        return {}
