"""Verdicts on your own experiment: a table for a page, text for a terminal, rows of data.

They are shown as in the ledger, without what only the book's chapters have: when a claim was
written, and what the log states. A metric may have any name, so the number of decimals follows from
the claim's margin.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from spatialnb.report.display import Shown, details
from spatialnb.report.findings import CAPTION, few_seeds, mark, numbered_rules, signed
from spatialnb.report.formatting import NOTHING, SYMBOLS, bounds, number, p_value
from spatialnb.report.html_tables import Cell, as_html, downloads
from spatialnb.report.tables import json_number
from spatialnb.study.claims import Claim, Finding


def judged_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON data, one object per claim.

    ``low`` and ``high`` bound the 95 % interval of D; ``decides_low`` and ``decides_high`` bound
    the interval that decides the verdict, at ``level``.
    """
    return [_row(finding) for finding in findings]


def _row(finding: Finding) -> dict[str, Any]:
    claim, estimate = finding.claim, finding.estimate
    return {
        "chapter": claim.chapter,
        "key": claim.key,
        "claim": claim.words,
        "verdict": finding.verdict,
        "estimate": json_number(estimate.estimate),
        "low": json_number(estimate.low),
        "high": json_number(estimate.high),
        "n": estimate.n,
        "unit": claim.unit,
        "margin": None if claim.rule == "between" else claim.margin,
        "p": finding.p,
        "p_corrected": finding.p_corrected,
        "level": finding.level,
        "decides_low": json_number(finding.interval.low),
        "decides_high": json_number(finding.interval.high),
        "less_than_margin": finding.small,
        "few_seeds": finding.few,
        "wins": finding.wins,
        "reported": claim.reported,
        "reported_in_interval": finding.reported_in_interval,
        "comparison": finding.comparison,
        "reason": finding.reason,
        "rule": finding.rule,
    }


def judged(findings: Sequence[Finding], stem: str = "verdicts") -> Shown:
    """A table of claims: verdict, D with its 95 % interval, n and p, with the rules below.

    Parameters
    ----------
    findings : the output of :func:`spatialnb.study.experiment.findings`.
    stem : the file name of the downloads.
    """
    data = pd.DataFrame(
        [_cells(finding) for finding in findings],
        index=[finding.claim.words for finding in findings],
        columns=["verdict", "D", "n", "p"],
    )
    warning = few_seeds(findings)
    html = (
        as_html(data, CAPTION, "findings", corner="claim")
        + (f"<p><strong>{warning}</strong></p>" if warning else "")
        + "<p>D with its 95 % interval; p of the test that the rule names, corrected where there "
        "are several comparisons.</p>"
        + downloads(stem, pd.DataFrame(judged_rows(findings)))
        + details("Why, and by which rule", _reasons(findings))
    )
    return Shown(html, judged_text(findings))


def judged_text(findings: Sequence[Finding]) -> str:
    """The findings as text: each claim with its verdict, D and the reason; then the counts."""
    lines = []
    for finding in findings:
        size, p = _size(finding), _p(finding)
        if finding.estimate.n:
            size += f", n = {finding.estimate.n}" + ("" if p == NOTHING else f", p {p}")
            below = [size, finding.reason]
        else:
            below = [finding.reason]
        lines += [
            f"{finding.verdict:14}{finding.claim.words}",
            *(f"{'':14}{part}" for part in below),
        ]
    counts = Counter(str(finding.verdict) for finding in findings)
    lines.append(", ".join(f"{counts[name]} {name}" for name in SYMBOLS if counts[name]))
    warning = few_seeds(findings)
    return "\n".join([*lines, warning] if warning else lines)


def _size(finding: Finding, with_interval: bool = True) -> str:
    """D with its unit, and optionally its interval."""
    claim, estimate = finding.claim, finding.estimate
    digits = _digits(claim)
    parts = [number(estimate.estimate, digits, claim.is_difference)]
    if with_interval:
        parts.append(bounds(estimate, digits, claim.is_difference, empty=""))
    if estimate.n:
        parts.append(claim.unit)
    return " ".join(part for part in parts if part)


def _cells(finding: Finding) -> dict[str, Cell]:
    claim, estimate, verdict = finding.claim, finding.estimate, str(finding.verdict)
    return {
        "verdict": Cell(
            f"{SYMBOLS[verdict]} {verdict}",
            below="by less than the margin" if finding.small else "",
            sort=list(SYMBOLS).index(verdict),
            markup=mark(verdict),
        ),
        "D": Cell(
            _size(finding, with_interval=False),
            below=bounds(estimate, _digits(claim), claim.is_difference, empty=""),
            sort=estimate.estimate,
        ),
        "n": Cell(str(estimate.n)),
        "p": Cell(_p(finding).removeprefix("= "), sort=_p_value(finding)),
    }


def _p_value(finding: Finding) -> float:
    """The p value, corrected if there is a correction; NaN if there is none."""
    p = finding.p if finding.p_corrected is None else finding.p_corrected
    return math.nan if p is None else p


def _p(finding: Finding) -> str:
    p = _p_value(finding)
    if math.isnan(p):
        return NOTHING
    return "< 0.0001" if p < 1e-4 else f"= {p:.4f}"


def _digits(claim: Claim) -> int:
    """Decimals that resolve a tenth of the margin, or a hundredth of the range between bounds."""
    size = claim.margin
    if claim.rule == "between":
        assert claim.low is not None
        assert claim.high is not None
        size = (claim.high - claim.low) / 10.0 or 1.0
    return min(max(1 - math.floor(math.log10(size)), 0), 9)


def _reasons(findings: Sequence[Finding]) -> str:
    """Why each claim has its verdict, as HTML: every rule once, in full, and the claims."""
    criteria, rules = numbered_rules(findings)
    listed = "".join(f"<li>{escape(signed(criterion))}</li>" for criterion in criteria)
    why = "".join(
        f"<li>{escape(one.claim.words)} <em>{one.verdict}</em>: {escape(_why(one, rule))}</li>"
        for one, rule in zip(findings, rules, strict=True)
    )
    return f"<ol>{listed}</ol><ul>{why}</ul>"


def _why(finding: Finding, rule: int) -> str:
    note = f" {finding.claim.note}" if finding.claim.note else ""
    said = (
        f"{signed(finding.reason)}.{note} Rule{f' {rule}' if rule else ''}: "
        f"{finding.claim.difference}. Interval at {100 * finding.level:.4g} %."
    )
    if finding.p is not None and finding.p_corrected is not None:
        said += f" p before the correction: {p_value(finding.p)}."
    if finding.wins is not None:
        said += f" D is above 0 on {100 * finding.wins:.0f} % of seeds."
    return said
