"""Tables of claims judged over many protocols: in how many universes each claim holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median, stdev
from typing import NamedTuple

import pandas as pd

from spatialnb.report.citation import cited, derived_parts
from spatialnb.report.display import Shown
from spatialnb.report.engines import made_by_results
from spatialnb.report.findings import mark
from spatialnb.report.formatting import NOTHING, SYMBOLS, banner, number
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study.claims import Finding
from spatialnb.study.multiverse import DEPENDS, FAILS, HOLDS, ClaimAcross, estimates
from spatialnb.study.results import Results

OUTCOMES = {HOLDS: "holds", DEPENDS: "depends", FAILS: "fails", "not judged": ""}
"""The outcomes in the order of a sorted column, with the word for each in keys."""
AT_CHANCE = 12.0
"""Accuracy (%) below which a network with ten classes counts as at chance."""
DIGITS = 2
"""Decimals of a difference in points."""


class Across(NamedTuple):
    """A claim over all universes: its outcome, and its differences in points."""

    claim: ClaimAcross
    outcome: str
    n: int
    holding: int
    above: int
    median: float
    low: float
    high: float

    @property
    def same_sign(self) -> float:
        """The fraction of universes whose difference has the more frequent sign."""
        return max(self.above, self.n - self.above) / self.n


def across(results: Results, claims: Sequence[ClaimAcross], codes: Sequence[str]) -> list[Across]:
    """Judge claims over the universes; "not judged" on a quick edition or on too few seeds."""
    found = []
    for claim in claims:
        ours = estimates(results, claim, codes)
        means = [one.mean for one in ours]
        if not means:
            continue
        differences = [one.differences for one in ours]
        judged = results.decides and not results.quick
        found.append(
            Across(
                claim,
                claim.outcome(differences) if judged else "not judged",
                len(means),
                sum(map(claim.holds_in, differences)),
                sum(mean > 0.0 for mean in means),
                median(means),
                means[0],
                means[-1],
            )
        )
    return found


def across_numbers(
    results: Results, claims: Sequence[ClaimAcross], codes: Sequence[str]
) -> dict[str, str]:
    """Values to glue on claims over many protocols.

    For each claim, ``<study>-<key>`` is its outcome; with ``-holds`` and ``-of``, in how many of
    how many universes it holds; with ``-median``, ``-low`` and ``-high``, the differences in
    points. ``<study>-universes``, ``-runs``, ``-failed``, ``-at-chance`` and ``-outcome-holds``,
    ``-depends`` and ``-fails`` are counts; ``<study>-error`` is the median standard error over
    seeds of a universe's difference, over all claims.
    """
    study = results.study.id
    found = across(results, claims, codes)
    said = {
        f"{study}-universes": str(len(codes)),
        f"{study}-runs": f"{sum(map(len, results.records.values())):,}",
        f"{study}-failed": str(sum(len(results.failed(arm)) for arm in results.arms)),
        f"{study}-at-chance": str(
            sum(
                value < AT_CHANCE
                for arm in results.arms
                for value in results.samples(arm, "accuracy").values()
            )
        ),
        f"{study}-error": number(_typical_error(results, claims, codes), 1),
    }
    for outcome in (HOLDS, DEPENDS, FAILS):
        count = sum(one.outcome == outcome for one in found)
        said[f"{study}-outcome-{OUTCOMES[outcome]}"] = str(count)
    for one in found:
        key = f"{study}-{one.claim.key}"
        said |= {
            key: one.outcome,
            f"{key}-holds": str(one.holding),
            f"{key}-of": str(one.n),
            f"{key}-median": number(one.median, DIGITS, True),
            f"{key}-low": number(one.low, DIGITS, True),
            f"{key}-high": number(one.high, DIGITS, True),
        }
    return said


def _typical_error(
    results: Results, claims: Sequence[ClaimAcross], codes: Sequence[str]
) -> float | None:
    errors = [
        stdev(one.differences) / math.sqrt(len(one.differences))
        for claim in claims
        for one in estimates(results, claim, codes)
        if len(one.differences) > 1
    ]
    return median(errors) if errors else None


def across_rows(found: Sequence[Across]) -> list[dict[str, object]]:
    """JSON data, one object per claim."""
    return [
        {
            "key": one.claim.key,
            "claim": one.claim.words,
            "rule": one.claim.rule,
            "arm": one.claim.arm,
            "against": one.claim.against,
            "outcome": one.outcome,
            "universes": one.n,
            "holds_in": one.holding,
            "above_zero_in": one.above,
            "median": one.median,
            "low": one.low,
            "high": one.high,
        }
        for one in found
    ]


def across_table(
    results: Results,
    claims: Sequence[ClaimAcross],
    codes: Sequence[str],
    ledger: Sequence[Finding] = (),
    same: Mapping[str, tuple[str, str]] | None = None,
) -> Shown:
    """A table of claims: outcome over the universes, in how many each holds, and its differences.

    If these are not the published results, a warning is shown above the table.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    claims, codes : the claims, and the codes of the universes.
    ledger : findings under the reference protocol.
    same : for a claim's key, the chapter and key of the same claim in `ledger`.
    """
    found = across(results, claims, codes)
    known = {(one.claim.chapter, one.claim.key): one for one in ledger}
    theirs = [known.get((same or {}).get(one.claim.key, ("", ""))) for one in found]
    data = pd.DataFrame(
        [_cells(one, finding) for one, finding in zip(found, theirs, strict=True)],
        index=[_named(results, one) for one in found],
    )
    title = f"Claims over {len(codes)} protocols"
    notes = [
        "Over protocols: whether the claim holds in nearly all of them (nine tenths or more), "
        "depends on the protocol, or fails in most (it holds in fewer than half). In the ledger: "
        "the verdict on the same claim under the reference protocol, with its chapter; a dash "
        "where no claim is the same. Difference: the median over protocols, in points, and the "
        "lowest and highest. Same sign: the share of protocols whose difference has the more "
        "frequent sign.",
        made_by_results(results),
    ]
    html = (
        as_html(data, title, "findings", corner="claim")
        + "".join(f"<p>{escape(note)}</p>" for note in notes if note)
        + downloads(f"{results.study.id}-claims", pd.DataFrame(across_rows(found)))
    )
    text = "\n".join([as_text(data, title), *filter(None, notes)])
    warning = banner(results)
    if warning is None:
        return Shown(html, text)
    return Shown(f"{warning.html}\n{html}", f"{warning.text}\n{text}")


def _named(results: Results, one: Across) -> Cell:
    """A claim's cell, with the citation of the number of protocols in which it holds."""
    study, words = results.study.id, one.claim.words
    parts = derived_parts(
        what=f"{study}, {words} Protocols in which it holds",
        value=f"{one.holding} of {one.n}, {one.outcome}",
        interval="",
        n=one.n,
        of="protocols",
        also=f"Median difference: {number(one.median, DIGITS, True)} points",
        arms=(one.claim.arm, one.claim.against),
    )
    return cited(words, f"{study}-across-{one.claim.key}", parts)


def _cells(one: Across, finding: Finding | None) -> dict[str, Cell]:
    sign = "+" if one.above * 2 >= one.n else "−"
    ends = f"{number(one.low, 1, True)} to {number(one.high, 1, True)}"
    return {
        "over protocols": Cell(
            one.outcome,
            below=f"holds in {one.holding} of {one.n}",
            sort=list(OUTCOMES).index(one.outcome),
        ),
        "in the ledger": NO_FINDING if finding is None else _finding(finding),
        "difference | low to high": Cell(
            number(one.median, DIGITS, True), below=ends, sort=one.median
        ),
        "same | sign": Cell(f"{100 * one.same_sign:.0f} %", below=sign, sort=one.same_sign),
    }


NO_FINDING = Cell(NOTHING)


def _finding(finding: Finding) -> Cell:
    return Cell(
        f"{SYMBOLS[finding.verdict]} {finding.verdict}",
        below=f"{finding.claim.chapter}, n = {finding.interval.n}",
        sort=list(SYMBOLS).index(finding.verdict),
        markup=mark(finding.verdict),
    )
