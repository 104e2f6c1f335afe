"""A table of claims about the spread over seeds, with their verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from html import escape

import pandas as pd

from spatialnb.report.citation import LEVEL, cited
from spatialnb.report.display import Shown, details
from spatialnb.report.findings import mark
from spatialnb.report.formatting import NOTHING, SYMBOLS, banner, bounds, number
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.sources import sources
from spatialnb.study.inference import Interval
from spatialnb.study.registration import registered
from spatialnb.study.results import Results
from spatialnb.study.spread import FEWEST, SpreadClaim, SpreadFinding, judge_spread


def spread_findings(results: Results, claims: Sequence[SpreadClaim]) -> list[SpreadFinding]:
    """Judge claims about spread; "not judged" on a quick edition or on fewer seeds than planned.

    Empty if there are fewer seeds than the test needs.
    """
    if len(results.seeds) < FEWEST:
        return []
    found = judge_spread(claims, lambda arm: results.samples(arm, "accuracy"))
    if results.quick or not results.decides:
        return [dataclasses.replace(one, verdict="not judged") for one in found]
    return found


def spread_numbers(results: Results, claims: Sequence[SpreadClaim]) -> dict[str, str]:
    """Values to glue for each claim: its verdict ``<study>-<key>``, ``-ratio``, ``-interval``."""
    study, said = results.study.id, {}
    for one in spread_findings(results, claims):
        name = f"{study}-{one.claim.key}"
        said[name] = one.verdict
        said[f"{name}-ratio"] = number(one.ratio, 2)
        said[f"{name}-interval"] = bounds(_interval(one), 2)
    return said


def spread_rows(found: Sequence[SpreadFinding]) -> list[dict[str, object]]:
    """JSON data, one object per claim."""
    return [
        {
            "key": one.claim.key,
            "claim": one.claim.words,
            "arm": one.claim.arm,
            "against": one.claim.against,
            "ratio": one.ratio,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "p": one.p,
            "verdict": one.verdict,
            "suggested_by": one.claim.seen,
            "suggested_in_interval": one.seen_in_interval,
        }
        for one in found
    ]


def spread_verdicts(results: Results, claims: Sequence[SpreadClaim]) -> Shown:
    """A table of claims about spread: verdict, ratio with interval, and what suggested them.

    If these are not the published results, a warning is shown above the table.
    """
    found = spread_findings(results, claims)
    data = pd.DataFrame(
        [_cells(one) for one in found],
        index=[_named(results, one) for one in found],
        columns=["verdict", "ratio", "p", "n", "suggested by"],
    )
    title = "Claims about the spread over seeds"
    note = (
        "Ratio: the standard deviation of accuracy over seeds, of the arm to that of the arm it is "
        "compared with, and its 95 % bootstrap interval. Suggested by: the ratio on the earlier "
        "seeds that suggested the claim, which have no part in the verdict, and whether it lies "
        "inside that interval."
        if found
        else f"A spread takes at least {FEWEST} seeds, so no claim is judged."
    )
    study = results.study.id
    rules = "".join(
        f"<li>{escape(one.claim.words)} <em>{one.verdict}</em>: {escape(_why(one, study))}</li>"
        for one in found
    )
    html = (
        as_html(data, title, "findings", corner="claim")
        + f"<p>{escape(note)}</p>"
        + downloads(f"{results.study.id}-spread", pd.DataFrame(spread_rows(found)))
        + details("By which rule", f"<ul>{rules}</ul>")
    )
    text = as_text(data, title) + "\n" + note
    warning = banner(results)
    if warning is None:
        return Shown(html, text)
    return Shown(f"{warning.html}\n{html}", f"{warning.text}\n{text}")


def _named(results: Results, one: SpreadFinding) -> Cell:
    claim, study = one.claim, results.study.id
    if not one.n:
        return Cell(claim.words)
    arms = [claim.arm, claim.against]
    parts = {
        "what": f"{study}, {claim.words} Ratio of the standard deviations of accuracy over seeds",
        "value": number(one.ratio, 2),
        "interval": bounds(_interval(one), 2, empty=""),
        "level": LEVEL,
        "n": one.n,
        "of": "seeds",
        "also": f"Verdict: {one.verdict}",
        "arms": arms,
        **sources(results, arms, "accuracy"),
    }
    return cited(claim.words, f"{study}-spread-{claim.key}", parts)


def _why(one: SpreadFinding, study: str) -> str:
    known = registered(study, one.claim.key)
    return f"Rule: {one.claim.rule_text()}." + (f" {known.sentence}" if known else "")


def _interval(one: SpreadFinding) -> Interval:
    return Interval(one.ratio, one.low, one.high, one.n, float("nan"))


def _cells(one: SpreadFinding) -> dict[str, Cell]:
    return {
        "verdict": Cell(
            f"{SYMBOLS[one.verdict]} {one.verdict}",
            sort=list(SYMBOLS).index(one.verdict),
            markup=mark(one.verdict),
        ),
        "ratio": Cell(number(one.ratio, 2), below=bounds(_interval(one), 2), sort=one.ratio),
        "p": Cell(f"{one.p:.2g}" if one.n else NOTHING, sort=one.p),
        "n": Cell(str(one.n)),
        "suggested by": Cell(
            number(one.claim.seen, 2),
            below="inside" if one.seen_in_interval else "outside",
            sort=one.claim.seen,
        ),
    }
