"""Tables of claims with their verdicts: for a chapter, and for the whole ledger."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from spatialnb.report.display import Shown, details
from spatialnb.report.formatting import (
    NOTHING,
    SIZES,
    SYMBOLS,
    bounds,
    number,
    p_value,
    plain,
    size_text,
)
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.tables import json_number
from spatialnb.study import metrics
from spatialnb.study.claims import FEW, Arms, Claim, Finding, arms_of
from spatialnb.study.log_protocol import LOG_PROTOCOLS
from spatialnb.study.registration import registration
from spatialnb.study.results import Results
from spatialnb.study.rules import short_rule

CAPTION = "Claims and verdicts"
"""The default title of a table of findings."""


def verdicts(results: Results) -> Shown:
    """A table of a study's claims: verdict, reported value, our estimate with interval, n."""
    findings = results.findings()
    return _shown(findings, [finding.claim.words for finding in findings], results.study.id)


def mark(verdict: str) -> str:
    """A verdict as HTML, with a symbol and a word, so that its colour carries no information."""
    symbol, name = SYMBOLS[verdict], escape(verdict)
    return f'<span class="verdict {name.replace(" ", "-")}">{symbol} {name}</span>'


def size_mark(finding: Finding) -> str:
    """The symbol of a finding's size, as HTML; empty if the log reports no size."""
    if finding.size is None:
        return ""
    if finding.size == "as reported":
        return f'<span class="size">{SIZES[finding.size]} size</span>'
    sign = f"{SIZES[finding.size]} size: {finding.size}"
    return f'<span class="size outside">{sign}</span>'


def few_seeds(findings: Sequence[Finding]) -> str:
    """A sentence if verdicts are based on fewer than five seeds, else an empty string."""
    counts = sorted(finding.interval.n for finding in findings if finding.few)
    if not counts:
        return ""
    least, most = counts[0], counts[-1]
    rest = "1 verdict rests" if len(counts) == 1 else f"{len(counts)} verdicts rest"
    return (
        f"{rest} on fewer than {FEW} seeds or pairs (n = "
        + (f"{least}" if least == most else f"{least} to {most}")
        + f"): take {'it' if len(counts) == 1 else 'them'} as provisional, and run more seeds."
    )


def _shown(
    findings: Sequence[Finding],
    words: Sequence[str | Cell],
    stem: str,
    origin: bool = False,
    title: str = CAPTION,
) -> Shown:
    data = pd.DataFrame(
        [_finding_cells(finding) for finding in findings],
        index=list(words),
        columns=["verdict", "reported", "ours", "n", "wins", "written"],
    )
    if not origin:
        data = data.drop(columns=["wins", "written"])
    note = (
        "Ours: the estimate with its own 95 % interval. Where a verdict rests on another, "
        "family-wise interval, that one is shown below the verdict."
    )
    if all(finding.claim.reported is None for finding in findings):
        data = data.drop(columns=["reported"])
    else:
        note += (
            " Size is a second question: whether the reported number lies in the 95 % interval, "
            "and if not, whether ours is larger or smaller."
        )
    if origin:
        note += (
            " Wins: the share of seeds on which D is above 0, an estimate of P(A > B) on a fresh "
            "seed. Written: whether the claim is older than its first record; after a look, if "
            "some results had been seen by then."
        )
    warning = few_seeds(findings)
    html = (
        as_html(data, title, "findings", corner="claim")
        + (f"<p><strong>{warning}</strong></p>" if warning else "")
        + f"<p>{note}</p>"
        + downloads(stem, pd.DataFrame(ledger_rows(findings)))
        + details("Why, and by which rule", _reasons(findings, words))
    )
    text = as_text(data, title)
    return Shown(html, f"{text}\n{warning}" if warning else text)


def ledger_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON data, one object per claim.

    In the first edition of the rules, ``low`` and ``high`` bound the interval that decides the
    verdict. In the second, they bound the 95 % interval of the estimate, and ``decides_low`` and
    ``decides_high`` bound the interval that decides.
    """
    return [_first_row(one) if one.edition == 1 else _row(one) for one in findings]


def _first_row(finding: Finding) -> dict[str, Any]:
    return {
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
        "p_holm": finding.p_corrected,
        "reported_in_interval": finding.reported_in_interval,
        "reason": finding.reason,
        "rule": finding.rule,
    }


def _row(finding: Finding) -> dict[str, Any]:
    row = _first_row(finding)
    row["low"], row["high"] = json_number(finding.estimate.low), json_number(finding.estimate.high)
    row["p_corrected"] = row.pop("p_holm")
    return {
        **row,
        "decides_low": json_number(finding.interval.low),
        "decides_high": json_number(finding.interval.high),
        "first_edition": finding.first,
        "size": finding.size,
        "few_seeds": finding.few,
        "less_than_margin": finding.small,
        "margin": finding.claim.margin if finding.claim.rule != "between" else None,
        "wins": finding.wins,
        "comparison": finding.comparison,
        **_origin(finding),
    }


def _origin(finding: Finding) -> dict[str, Any]:
    """When the claim was written, and which parts of its protocol the log states."""
    known = registration(finding.claim)
    protocol = LOG_PROTOCOLS.get(finding.claim.chapter)
    return {
        "registration": known and known.row(),
        "log_states": list(protocol.stated) if protocol else None,
        "log_leaves_open": list(protocol.inferred) if protocol else None,
        "log_seeds": protocol.seeds if protocol else None,
    }


def ledger(
    findings: Sequence[Finding],
    pages: Mapping[str, str] | None = None,
    name: str = "ledger",
    title: str = CAPTION,
) -> Shown:
    """A table of claims with their chapters and verdicts, and downloads as CSV and JSON.

    `pages` are the chapters' pages by id, for links; `name` is the file name of the downloads, and
    `title` the table's title.
    """
    words = [
        Cell(
            f"{finding.claim.chapter}. {finding.claim.words}",
            sort=place,
            markup=_anchored(finding.claim, pages or {}),
        )
        for place, finding in enumerate(findings)
    ]
    return _shown(findings, words, name, origin=True, title=title)


def _anchored(claim: Claim, pages: Mapping[str, str]) -> str:
    """A claim's words as HTML, with a link to its chapter and one to this row."""
    name = f"{claim.chapter}-{claim.key}"
    return (
        f'<span id="claim-{name}" data-claim="{claim.chapter}/{claim.key}">'
        f"{chapter_link(claim.chapter, pages)}{escape(claim.words)}</span>"
        f'<a class="to-row" href="#claim-{name}" aria-label="Link to this claim"></a>'
    )


def chapter_link(chapter: str, pages: Mapping[str, str]) -> str:
    """A chapter's id as HTML, linked to its page if that is in `pages`."""
    if chapter not in pages:
        return f"{escape(chapter)}. "
    return f'<a href="{escape(pages[chapter])}.html">{escape(chapter)}</a> '


def tally(findings: Sequence[Finding], name: str = "ledger") -> dict[str, str]:
    """Values to glue: the number of claims with each verdict, such as ``ledger-holds``."""
    counts = Counter(str(finding.verdict) for finding in findings)
    said = {f"{name}-{verdict.replace(' ', '-')}": str(counts[verdict]) for verdict in SYMBOLS}
    return {f"{name}-claims": str(len(findings)), **said}


def _finding_cells(finding: Finding) -> dict[str, Cell]:
    claim, interval = finding.claim, finding.estimate
    digits = metrics.metric(claim.metric).digits
    unit = f" {claim.unit}" if claim.unit else ""
    known = registration(claim)
    ours = number(interval.estimate, digits, claim.is_difference)
    order = list(SYMBOLS).index(finding.verdict)
    return {
        "verdict": Cell(
            f"{SYMBOLS[finding.verdict]} {finding.verdict}"
            + (f"; size: {size_text(finding)}" if finding.size else ""),
            below=_below(finding),
            sort=order,
            markup=" ".join(filter(None, [mark(finding.verdict), size_mark(finding)])),
        ),
        "reported": Cell(
            plain(claim.reported) + (unit if claim.reported is not None else ""),
            sort=math.nan if claim.reported is None else claim.reported,
        ),
        "ours": Cell(
            ours + (unit if interval.n else ""),
            below=bounds(interval, digits, claim.is_difference, empty=""),
            sort=interval.estimate,
        ),
        "n": Cell(str(interval.n)),
        "wins": Cell(
            NOTHING if finding.wins is None else f"{100 * finding.wins:.0f} %", sort=finding.wins
        ),
        "written": Cell(NOTHING if known is None else known.short),
    }


def _below(finding: Finding) -> str:
    """The line below a verdict: its mark, deciding interval, and the first edition's verdict."""
    digits = metrics.metric(finding.claim.metric).digits
    said = []
    if finding.small:
        said.append("by less than the margin")
    if finding.p_corrected is not None and not math.isclose(finding.level, 0.95):
        said.append(f"family-wise {bounds(finding.interval, digits, True)}")
    if finding.amended and finding.verdict != "not judged":
        said.append(f"first edition: {finding.first or 'no such claim'}")
    return "; ".join(said)


def _reasons(findings: Sequence[Finding], words: Sequence[str | Cell]) -> str:
    """Why each claim has its verdict, as HTML: its rules, once in short and once in full."""
    criteria, rules = numbered_rules(findings)
    short = dict(zip(rules, (short_rule(one.claim) for one in findings), strict=True))
    listed = [short[number] for number in range(1, len(criteria) + 1)]
    html = _items("ol", listed) + details(
        "The rules in full", _items("ol", [signed(one) for one in criteria])
    )
    why = [
        f"{escape(str(text))} <em>{finding.verdict}</em>: {escape(_why(finding, rule))}"
        for finding, text, rule in zip(findings, words, rules, strict=True)
    ]
    html += f"<ul>{''.join(f'<li>{one}</li>' for one in why)}</ul>"
    return html + _items("ul", _of_chapters(findings))


def _items(kind: str, texts: Sequence[str]) -> str:
    """An HTML list; empty if there are no texts."""
    listed = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<{kind}>{listed}</{kind}>" if texts else ""


def numbered_rules(findings: Sequence[Finding]) -> tuple[list[str], list[int]]:
    """The distinct criteria, and each claim's, counted from 1; 0 for a claim without one."""
    own = [finding.rule.partition("; ")[2] for finding in findings]
    criteria = list(dict.fromkeys(filter(None, own)))
    return criteria, [criteria.index(one) + 1 if one else 0 for one in own]


def difference_text(finding: Finding) -> str:
    """D in words, with the titles of its metrics."""
    claim = finding.claim

    def of(metric: str, arms: Arms) -> str:
        title = metrics.metric(metric).title
        return f"{title}{',' if ',' in title else ''} of {named(arms)}"

    def named(arms: Arms) -> str:
        listed = [f"“{arm}”" for arm in arms_of(arms)]
        mean = "the mean of " if len(listed) > 1 and not claim.each else ""
        return mean + (" or " if claim.each else " and ").join(listed)

    said = f"D = {of(claim.metric, claim.arm)}"
    if claim.against is None:
        return said + (f" minus {claim.than:g}" if claim.than else "")
    against = claim.against
    other = of(claim.against_metric, against) if claim.against_metric else named(against)
    return said + (" in percent of " if claim.as_share else " minus ") + other


def _of_chapters(findings: Sequence[Finding]) -> list[str]:
    """By chapter, sentences that are the same for all its claims."""
    said: dict[str, list[str]] = {}
    for finding in findings:
        claim = finding.claim
        known, protocol = registration(claim), LOG_PROTOCOLS.get(claim.chapter)
        lines = said.setdefault(claim.chapter, [])
        if known is not None and known.looked_at_before:
            lines.append(f"seen before these claims were written: {known.looked_at_before}.")
        if protocol is not None:
            lines.append(
                f"the log states {', '.join(protocol.stated)}; "
                f"inferred: {', '.join(protocol.inferred)}."
            )
    return [
        f"{chapter}: {line}" for chapter, lines in said.items() for line in dict.fromkeys(lines)
    ]


def _why(finding: Finding, rule: int) -> str:
    """The reason for a verdict, its rule, and the numbers of its test."""
    note = f" {finding.claim.note}" if finding.claim.note else ""
    p = "" if finding.p is None else f" p = {p_value(finding.p)}"
    if finding.p_corrected is not None:
        p += f", corrected {p_value(finding.p_corrected)}"
    said = (
        f"{signed(finding.reason)}.{note} Rule{f' {rule}' if rule else ''}: "
        f"{difference_text(finding)}. "
        f"Interval at {100 * finding.level:.4g} %.{p and f'{p}.'}"
    )
    if finding.wins is not None:
        of = "pairs" if metrics.metric(finding.claim.metric).kind == "pair" else "seeds"
        said += f" D is above 0 for {100 * finding.wins:.0f} % of {of}."
    known = registration(finding.claim)
    if known is not None:
        said += f" {known.dates}" + (f" {known.amended}" if known.amended else "")
    return said


def signed(text: str) -> str:
    """The text with a minus sign instead of a hyphen before a number."""
    return re.sub(r"(?<!\S)-(?=\d)", "−", text)
