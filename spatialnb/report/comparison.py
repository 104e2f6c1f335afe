"""Compare a re-run with the published runs, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from spatialnb.report.display import Shown
from spatialnb.report.engines import made_by_results
from spatialnb.report.formatting import NOTHING, bounds, estimate, number, setting, spread
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.summary import EMPTY, values
from spatialnb.report.tables import RULE, json_number, other_settings
from spatialnb.study import inference, metrics
from spatialnb.study.inference import Interval
from spatialnb.study.judging import PUBLISHED
from spatialnb.study.results import Results

Outcome = Literal["identical", "same", "different", "cannot tell", "not comparable"]
SYMBOLS: dict[Outcome, str] = {
    "identical": "=",
    "same": "≈",
    "different": "≠",
    "cannot tell": "?",
    "not comparable": NOTHING,
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Comparison of an arm of a re-run with the published one, in one metric."""

    arm: str
    metric: str
    rerun: Interval
    published: Interval
    difference: Interval
    outcome: Outcome
    reason: str


def compared(rerun: Results, published: Results) -> list[Compared]:
    """Compare every arm of a re-run with the published runs, in every metric with a margin."""
    why = _other_settings(rerun, published)
    names = [name for name in rerun.study.metrics if metrics.metric(name).margin is not None]
    return [_compared(rerun, published, arm, name, why) for name in names for arm in rerun.arms]


def comparison_text(rerun: Results, published: Results, rows: list[Compared]) -> str:
    """The comparison for a terminal: each arm, then differences and claims."""
    lines = [f"{rerun.study.id}  {_title(rerun, published)}"]
    said = ""
    for row in rows:
        cells = _cells(row)
        reason = f"  {cells['outcome'].text}: {row.reason}"
        if reason != said or row.outcome != "not comparable":
            lines.append(reason)
        said = reason
        lines.append(f"      {rerun.study.label(row.arm)}, {cells['measured']}:")
        lines[-1] += f" {cells['re-run']} against {cells['published']}"
        if row.difference.n:
            lines[-1] += f"; difference {cells['difference']}"
    for title, sides in _sides(rerun, published).items():
        lines.append(f"  {title}, published and yours:")
        lines += [f"      {side.what}: {side.texts()}" for side in sides]
    lines += [f"  Yours. {made}"] if (made := made_by_results(rerun)) else []
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A difference between arms, or a claim's D, as published and in the re-run."""

    what: str
    published: Interval
    rerun: Interval
    digits: int
    signed: bool = True

    @property
    def note(self) -> str:
        """Whether the two have the same sign; empty if one of them has no value, or no sign."""
        if not (self.published.n and self.rerun.n and self.signed):
            return ""
        both = self.published.estimate * self.rerun.estimate
        return "the sign differs" if both < 0 else "the same sign" if both > 0 else ""

    def texts(self) -> str:
        """Both as text."""
        theirs, ours = self._size(self.published), self._size(self.rerun)
        return f"{theirs}, yours {ours}" + (f": {self.note}" if self.note else "")

    def cells(self) -> dict[str, Cell]:
        """Both as cells of a table."""
        return {
            "published": Cell(self._size(self.published), sort=self.published.estimate),
            "yours": Cell(self._size(self.rerun), sort=self.rerun.estimate),
            "sign": Cell(self.note or NOTHING),
        }

    def _size(self, interval: Interval) -> str:
        size = number(interval.estimate, self.digits, self.signed)
        inside = bounds(interval, self.digits, self.signed, empty=f"(n = {interval.n})")
        return f"{size} {inside}"


def _sides(rerun: Results, published: Results) -> dict[str, list[Side]]:
    """Differences to the baseline, and claims, in the published runs and in the re-run."""
    baseline = rerun.study.baseline
    names = [name for name in rerun.study.metrics if metrics.metric(name).margin is not None]
    base = rerun.study.base_of
    arms = [arm for arm in rerun.arms if arm in published.arms and arm != base(arm)]
    differences = [
        Side(
            what=f"{rerun.study.label(arm)}, {metrics.metric(name).title}",
            published=_from_baseline(published, arm, name),
            rerun=_from_baseline(rerun, arm, name),
            digits=metrics.metric(name).digits,
        )
        for name in names
        for arm in arms
        if base(arm) in rerun.arms
    ]
    theirs = {finding.claim.key: finding for finding in published.findings()}
    claims = [
        Side(
            what=f"{ours.claim.words} ({theirs[ours.claim.key].verdict}; yours {ours.verdict})",
            published=theirs[ours.claim.key].interval,
            rerun=ours.interval,
            digits=metrics.metric(ours.claim.metric).digits,
            signed=ours.claim.is_difference,
        )
        for ours in rerun.findings()
        if ours.claim.key in theirs
    ]
    found = {
        "Difference from the arm compared with"
        if rerun.study.compared_with
        else f"Difference from {rerun.study.label(baseline)}": differences,
        "Claims": [side for side in claims if side.rerun.n],
    }
    kept = {
        title: [side for side in sides if side.published.n and side.rerun.n]
        for title, sides in found.items()
    }
    return {title: sides for title, sides in kept.items() if sides}


def _from_baseline(results: Results, arm: str, name: str) -> Interval:
    """The mean difference of an arm from the one it is compared with, over their common seeds."""
    first, second = (values(results, one, name) for one in (arm, results.study.base_of(arm)))
    by_seed = [first[key] - second[key] for key in first if key in second]
    return inference.mean_interval(by_seed) if by_seed else EMPTY


def compare(rerun: Results) -> Shown | None:
    """The comparison at the end of a page, below a heading; None for the published runs."""
    if rerun.published or rerun.interim:
        return None
    published = rerun.study.without_added().recorded()
    if published is None:
        return Shown("<p>No runs of this chapter are published to compare with.</p>", "")
    rows = compared(rerun, published)
    data = pd.DataFrame(
        [_cells(row) for row in rows], index=[rerun.study.label(row.arm) for row in rows]
    )
    title = _title(rerun, published)
    html = (
        f"<h2>Comparison with the published runs</h2>\n{as_html(data, title, 'findings', 'arm')}\n"
        f"<p>{RULE}</p>"
        + "".join(_sides_table(title, sides) for title, sides in _sides(rerun, published).items())
        + downloads(f"{rerun.study.id}-comparison", pd.DataFrame(comparison_rows(rerun, rows)))
    )
    return Shown(html, f"{as_text(data, title)}\n{RULE}")


def _sides_table(title: str, sides: list[Side]) -> str:
    data = pd.DataFrame([side.cells() for side in sides], index=[side.what for side in sides])
    return as_html(data, f"{title}, published and yours", "findings", "difference")


def comparison_rows(rerun: Results, rows: list[Compared]) -> list[dict[str, Any]]:
    """The comparison as JSON data, one object per arm and metric."""
    return [
        {
            "chapter": rerun.study.id,
            "arm": row.arm,
            "metric": row.metric,
            "rerun": json_number(row.rerun.estimate),
            "rerun_n": row.rerun.n,
            "published": json_number(row.published.estimate),
            "published_n": row.published.n,
            "difference": json_number(row.difference.estimate),
            "low": json_number(row.difference.low),
            "high": json_number(row.difference.high),
            "outcome": row.outcome,
            "reason": row.reason,
        }
        for row in rows
    ]


def _title(rerun: Results, published: Results) -> str:
    return f"Re-run: {setting(rerun)}. Published: {setting(published)}"


def _other_settings(rerun: Results, published: Results) -> str:
    """Why runs cannot be compared: the settings that differ, in words; empty if none do."""
    pairs = [
        ("data", rerun.dataset, published.dataset),
        ("epochs", rerun.epochs, published.epochs),
    ]
    said = [f"{name} {ours}, not {theirs}" for name, ours, theirs in pairs if ours != theirs]
    return "; ".join(filter(None, [*said, other_settings(rerun)]))


def _compared(rerun: Results, published: Results, arm: str, name: str, why: str) -> Compared:
    ours = values(rerun, arm, name)
    theirs = values(published, arm, name) if arm in published.arms else {}
    if arm not in published.arms:
        why = "an arm of your own"
    elif not why and not (ours and theirs):
        why = "no values"
    margin = metrics.metric(name).margin
    assert margin is not None
    outcome, difference, reason = _judged(ours, theirs, margin) if not why else _not(why)
    return Compared(
        arm=arm,
        metric=name,
        rerun=inference.mean_interval(list(ours.values())) if ours else EMPTY,
        published=inference.mean_interval(list(theirs.values())) if theirs else EMPTY,
        difference=difference,
        outcome=outcome,
        reason=reason,
    )


def _not(why: str) -> tuple[Outcome, Interval, str]:
    return "not comparable", EMPTY, why


def _judged(
    ours: Mapping[Any, float], theirs: Mapping[Any, float], margin: float
) -> tuple[Outcome, Interval, str]:
    shared = [key for key in ours if key in theirs]
    if shared == list(ours):
        by_seed = inference.differences(ours, {key: theirs[key] for key in shared})
        interval = inference.mean_interval(by_seed)
        if not any(by_seed):
            return "identical", interval, f"all {len(shared)} values are the published ones"
        if len(by_seed) < 2:
            return "cannot tell", interval, "one value, and a test needs two"
        p = inference.equivalence(by_seed, margin)
    else:
        new = [value for key, value in ours.items() if key not in theirs]
        if len(new) < 2:
            return "cannot tell", EMPTY, f"{len(new)} new value(s), and a test needs two"
        interval = inference.unpaired_difference(new, list(theirs.values()))
        p = inference.unpaired_equivalence(new, list(theirs.values()), margin)
    if p < PUBLISHED.alpha:
        return "same", interval, f"within ±{margin:g}"
    if 0.0 not in interval and abs(interval.estimate) > margin:
        return "different", interval, f"by more than {margin:g}"
    return "cannot tell", interval, "too few runs"


def _cells(row: Compared) -> dict[str, Cell]:
    """A row's cells, with the outcome first, because narrow pages cut off the last columns."""
    wanted = metrics.metric(row.metric)
    unit = f" ({wanted.unit})" if wanted.unit else ""
    return {
        "outcome": Cell(f"{SYMBOLS[row.outcome]} {row.outcome}", below=row.reason),
        "measured": Cell(f"{wanted.title}{unit}"),
        "re-run": _spread(row.rerun, wanted.digits),
        "published": _spread(row.published, wanted.digits),
        "difference": Cell(
            estimate(row.difference, wanted.digits), sort=float(row.difference.estimate)
        ),
    }


def _spread(interval: Interval, digits: int) -> Cell:
    text = f"{spread(interval.estimate, interval.sd, digits)} (n = {interval.n})"
    return Cell(text, sort=interval.estimate)
