"""Claims with their verdicts, of a chapter and of the whole report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from spatialnb import metrics
from spatialnb.claims import Finding
from spatialnb.report.shown import Shown, details, download
from spatialnb.report.tables import as_html, json_number
from spatialnb.report.words import NOTHING, SYMBOLS, estimate, plain
from spatialnb.study import Results


def verdicts(results: Results) -> Shown:
    """The claims of a study: verdict, reported, ours with interval, and n."""
    return _shown(results.findings(), [claim.words for claim in results.study.claims])


def _shown(findings: Sequence[Finding], words: Sequence[str]) -> Shown:
    data = pd.DataFrame(
        [_finding_cells(finding) for finding in findings],
        index=list(words),
        columns=["verdict", "reported", "ours, with interval", "n", "inside"],
    )
    rules = "".join(
        f"<li>{escape(text)} <em>{finding.verdict}</em>: {escape(_why(finding))}</li>"
        for finding, text in zip(findings, words, strict=True)
    )
    inside = "<p>Inside: whether the reported size lies in our interval.</p>"
    if all(finding.claim.reported is None for finding in findings):
        data, inside = data.drop(columns=["reported", "inside"]), ""
    html = (
        as_html(data, "Claims and verdicts", "findings")
        + inside
        + details("Why, and by which rule", f"<ul>{rules}</ul>")
    )
    return Shown(html, f"Claims and verdicts\n{data.to_string()}")


def ledger_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON data, one object a claim."""
    return [
        {
            "chapter": finding.claim.chapter,
            "key": finding.claim.key,
            "claim": finding.claim.words,
            "reported": finding.claim.reported,
            "estimate": json_number(finding.interval.estimate),
            "low": json_number(finding.interval.low),
            "high": json_number(finding.interval.high),
            "n": finding.interval.n,
            "unit": finding.claim.unit,
            "verdict": finding.verdict,
            "level": finding.level,
            "p": finding.p,
            "p_holm": finding.p_holm,
            "reported_in_interval": finding.reported_in_interval,
            "reason": finding.reason,
            "rule": finding.claim.rule_text(),
        }
        for finding in findings
    ]


def ledger(findings: Sequence[Finding], name: str = "ledger") -> Shown:
    """Every claim with its chapter and verdict, and a CSV of that name."""
    shown = _shown(findings, [f"{f.claim.chapter}. {f.claim.words}" for f in findings])
    csv = pd.DataFrame(ledger_rows(findings)).to_csv(index=False)
    return Shown(f"{shown.html}\n<p>{download(f'{name}.csv', csv)}</p>", shown.text)


def tally(findings: Sequence[Finding], name: str = "ledger") -> dict[str, str]:
    """How many claims got which verdict, for the prose: ``ledger-holds`` and so on."""
    counts = Counter(str(finding.verdict) for finding in findings)
    said = {f"{name}-{verdict.replace(' ', '-')}": str(counts[verdict]) for verdict in SYMBOLS}
    return {f"{name}-claims": str(len(findings)), **said}


def _finding_cells(finding: Finding) -> list[str]:
    claim, interval = finding.claim, finding.interval
    digits = metrics.metric(claim.metric).digits
    unit = f" {claim.unit}" if claim.unit else ""
    inside = {None: NOTHING, True: "yes", False: "no"}
    return [
        f"{SYMBOLS[finding.verdict]} {finding.verdict}",
        plain(claim.reported) + (unit if claim.reported is not None else ""),
        estimate(interval, digits, claim.is_difference) + (unit if interval.n else ""),
        str(finding.interval.n),
        inside[finding.reported_in_interval],
    ]


def _why(finding: Finding) -> str:
    """The reason for a verdict, the rule behind it, and what the numbers of the test were."""
    note = f" {finding.claim.note}" if finding.claim.note else ""
    p = "" if finding.p is None else f" p = {finding.p:.2g}"
    if finding.p_holm is not None:
        p += f", corrected {finding.p_holm:.2g}"
    rule = f"Rule: {finding.claim.rule_text()}. Interval at {100 * finding.level:.4g} %.{p}"
    return f"{finding.reason}.{note} {rule}"
