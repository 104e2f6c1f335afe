"""The box at the start of a chapter: claims, verdicts, and the runs behind them."""

from __future__ import annotations

from collections import Counter
from html import escape

from spatialnb.report.cost import hours, records_of
from spatialnb.report.display import Shown
from spatialnb.report.findings import mark, size_mark
from spatialnb.report.formatting import SYMBOLS, banner, estimate, setting, size_text
from spatialnb.report.protocol_box import protocol
from spatialnb.study import metrics
from spatialnb.study.claims import Finding
from spatialnb.study.results import Results


def glance(results: Results) -> Shown:
    """A summary of a chapter's verdicts and of the runs on which they are based.

    If these are not the published results, a warning is shown above it. The protocol of the runs is
    collapsed at its end.
    """
    findings = results.findings()
    counts = Counter(str(finding.verdict) for finding in findings)
    head = ", ".join(
        f"{counts[name]} {_plural(name, counts[name])}" for name in SYMBOLS if counts[name]
    )
    lines = [_line(finding) for finding in findings]
    items = "".join(
        f"<li>{mark(finding.verdict)} {size_mark(finding)} {escape(finding.claim.words)} "
        f'<span class="below">{escape(said)}</span></li>'
        for finding, said in zip(findings, lines, strict=True)
    )
    made = _made(results)
    html = (
        f'<aside class="glance" aria-label="Summary"><p class="head">{escape(_title(head))}</p>'
        f'<ul>{items}</ul><p class="made">{escape(made)}</p>{protocol(results).html}</aside>'
    )
    texts = [
        f"  {SYMBOLS[finding.verdict]} {finding.verdict}{_size(finding)}: {finding.claim.words} "
        + said
        for finding, said in zip(findings, lines, strict=True)
    ]
    text = "\n".join([_title(head), *texts, made])
    warning = banner(results)
    if warning is None:
        return Shown(html, text)
    return Shown(f"{warning.html}\n{html}", f"{warning.text}\n{text}")


def _title(head: str) -> str:
    return f"Claims of this chapter: {head}" if head else "This chapter makes no claim"


def _plural(verdict: str, count: int) -> str:
    return "hold" if verdict == "holds" and count > 1 else verdict


def _line(finding: Finding) -> str:
    digits = metrics.metric(finding.claim.metric).digits
    said = estimate(finding.estimate, digits, finding.claim.is_difference)
    unit = f" {finding.claim.unit}" if finding.claim.unit and finding.interval.n else ""
    return f"{said}{unit}{_pair(finding)} (n = {finding.interval.n})"


def _pair(finding: Finding) -> str:
    """The arms whose difference is shown, if there are two: its sign depends on their order."""
    arm, _, against = finding.comparison.partition(" against ")
    if not finding.claim.is_difference or against in ("", arm):
        return ""
    return f": {_mean(arm)} minus {_mean(against)}"


def _mean(arms: str) -> str:
    listed = " and ".join(_own(arm) for arm in arms.split(" and "))
    return f"mean of {listed}" if " and " in arms else listed


def _own(arm: str) -> str:
    """An arm, with its chapter if it is another's: "c4's none" for "c4/none"."""
    chapter, other, name = arm.partition("/")
    return f"{chapter}'s {name}" if other else arm


def _size(finding: Finding) -> str:
    return f", size {size_text(finding)}" if finding.size else ""


def _made(results: Results) -> str:
    records = records_of(results)
    took = hours(records)
    days = sorted({str(record.provenance.get("finished", ""))[:10] for record in records} - {""})
    when = f", made {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    spent = f"{took:.1f} hours" if took >= 0.1 else f"{60 * took:.1f} minutes"
    devices = {record.provenance.get("device", "cpu") for record in records if record.kind == "run"}
    whose = "of one core" if devices <= {"cpu"} else "of training"
    return f"{len(records)} runs, {spent} {whose}{when}: {setting(results)}."
