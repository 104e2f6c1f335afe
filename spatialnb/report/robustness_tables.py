"""Tables on the robustness of verdicts and on the power of n seeds, with values to glue."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

import pandas as pd

from spatialnb.report.citation import cited, derived_parts
from spatialnb.report.display import Shown
from spatialnb.report.findings import chapter_link, mark
from spatialnb.report.formatting import NOTHING, SYMBOLS, number
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.summary import summarise
from spatialnb.report.tables import json_number
from spatialnb.study import metrics
from spatialnb.study.claims import Finding
from spatialnb.study.results import Results
from spatialnb.study.robustness import (
    FIRST,
    HALVES,
    VARIATIONS,
    Robustness,
    smallest_difference,
    smallest_margin,
)

COUNTED: dict[str, Callable[[Robustness], bool]] = {
    "changed": lambda one: bool(one.changed_by),
    "robust": lambda one: one.robust,
    "one-seed": lambda one: one.flips_without_one > 0,
    "halves": lambda one: one.halves_agree,
}


def robustness_rows(found: Sequence[Robustness]) -> list[dict[str, Any]]:
    """JSON data, one object per claim."""
    return [
        {
            "chapter": one.finding.claim.chapter,
            "key": one.finding.claim.key,
            "claim": one.finding.claim.words,
            "verdict": one.finding.verdict,
            "margin": one.finding.claim.margin if one.low is not None else None,
            "unit": one.finding.claim.unit,
            "same_from_margin": one.low,
            "same_to_margin": None if one.high is None else json_number(_finite(one.high)),
            "flip_margin": one.flip_margin,
            "wins": one.finding.wins,
            **dict(one.verdicts),
            "left_out": len(one.without),
            "flips_without_one": one.flips_without_one,
        }
        for one in found
    ]


def robustness_table(found: Sequence[Robustness], pages: Mapping[str, str] | None = None) -> Shown:
    """A table of claims: verdict, the margin that flips it, and the variations that change it.

    `pages` are the chapters' pages by id, for links.
    """
    data = pd.DataFrame(
        [_cells(one) for one in found],
        index=[
            dataclasses.replace(_named(one, pages or {}), sort=place)
            for place, one in enumerate(found)
        ],
    )
    title = "Verdicts judged again"
    note = (
        "Flips at: the margin nearest to the claim's own at which the verdict changes; a dash "
        "where none changes it. Changed by: the other settings that give another verdict. One left "
        "out: for how many of the seeds, or pairs of them, leaving out that one changes the "
        f"verdict. First {', '.join(map(str, FIRST))}: the verdicts on only the first "
        f"{', '.join(map(str, FIRST))} of them. Halves: the verdicts on the first and on the "
        "second half. Wins: the share of seeds on which D is above 0."
    )
    html = (
        f"<p>{escape(note)}</p>"
        + as_html(data, title, "findings", corner="claim")
        + downloads("robustness", pd.DataFrame(robustness_rows(found)))
    )
    return Shown(html, note + "\n" + as_text(data, title))


def robustness_numbers(found: Sequence[Robustness]) -> dict[str, str]:
    """Values to glue: counts of claims by how robust their verdicts are.

    ``robust-claims`` is the number of claims; ``robust-robust`` counts verdicts that neither
    another setting nor leaving out one seed changes, ``-changed`` those that another setting
    changes, ``-one-seed`` those that leaving out one seed changes, and ``-halves`` those that each
    half of the seeds reproduces. For each variation, ``robust-by-margin-0-25`` and so on count the
    verdicts that it changes, and ``robust-lost-...`` those among claims that hold.
    """
    said = {"robust-claims": str(len(found))}
    said |= {f"robust-{name}": str(sum(map(test, found))) for name, test in COUNTED.items()}
    for name in (*VARIATIONS, *(f"first {count}" for count in FIRST), *HALVES):
        other = [one for one in found if one.verdicts[name] != one.finding.verdict]
        key = name.lower().replace(" ", "-").replace(".", "-")
        said[f"robust-by-{key}"] = str(len(other))
        said[f"robust-lost-{key}"] = str(sum(one.finding.verdict == "holds" for one in other))
    return said


def power_rows(findings: Sequence[Finding], counts: Sequence[int] = (5, 10, 20)) -> pd.DataFrame:
    """The differences that n seeds can detect, given the typical spread of claims about accuracy.

    The spread is the median, over claims in points, of the standard deviation of the paired
    differences. Columns: the smallest difference that a t test detects with 80 % power, by itself
    and as the smallest p value in a family of ten; and the smallest margin within which two equal
    arms are shown to be equivalent with 80 % power.
    """
    sd = typical_sd(findings)
    return pd.DataFrame(
        [
            {
                "n": n,
                "difference": smallest_difference(n, sd),
                "difference in a family of ten": smallest_difference(n, sd, alpha=0.005),
                "margin": smallest_margin(n, sd),
            }
            for n in counts
        ]
    )


def typical_sd(findings: Sequence[Finding]) -> float:
    """The median, over claims in points of accuracy, of the standard deviation of D over seeds."""
    sds = [one.interval.sd for one in findings if one.claim.unit == "points"]
    return median(sd for sd in sds if sd > 0.0)


def power_table(findings: Sequence[Finding]) -> Shown:
    """The output of :func:`power_rows` as a table, in points."""
    rows = power_rows(findings)
    data = pd.DataFrame(
        {
            column: [Cell(number(value, 2), sort=value) for value in rows[column]]
            for column in rows.columns
            if column != "n"
        },
        index=[f"{n} seeds" for n in rows["n"]],
    )
    data.columns = pd.Index(
        ["difference found", "difference found | in a family of ten", "equal within ±"]
    )
    title = f"What n seeds can tell, in points, at 80 % power; SD {number(typical_sd(findings), 2)}"
    html = as_html(data, title, corner="n") + downloads("power", rows)
    return Shown(html, as_text(data, title))


def power_numbers(findings: Sequence[Finding]) -> dict[str, str]:
    """Values to glue on power: ``power-sd``, ``power-difference-20``, ``power-family-20``..."""
    said = {"power-sd": number(typical_sd(findings), 2)}
    for row in power_rows(findings).to_dict("records"):
        n = int(row["n"])
        said[f"power-difference-{n}"] = number(row["difference"], 2)
        said[f"power-family-{n}"] = number(row["difference in a family of ten"], 2)
        said[f"power-margin-{n}"] = number(row["margin"], 2)
    return said


def _named(one: Robustness, pages: Mapping[str, str]) -> Cell:
    """A claim's cell, with the citation of the margin that flips its verdict."""
    finding, claim, flip = one.finding, one.finding.claim, one.flip_margin
    name = f"{claim.chapter}. {claim.words}"
    link = chapter_link(claim.chapter, pages)
    if flip is None:
        return Cell(name, markup=link + escape(claim.words))
    parts = derived_parts(
        what=f"{claim.chapter}, {claim.words} Margin nearest to its own at which the verdict "
        "changes",
        value=f"{flip:.2g} {claim.unit}".rstrip(),
        interval="",
        n=finding.interval.n,
        of="pairs of seeds" if metrics.metric(claim.metric).kind == "pair" else "seeds",
        also=f"Verdict at {claim.margin:g}: {finding.verdict}",
        arms=claim.arms,
    )
    found = cited(name, f"robust-{claim.chapter}-{claim.key}", parts, escape(claim.words))
    return dataclasses.replace(found, markup=link + found.markup)


def _cells(one: Robustness) -> dict[str, Cell]:
    finding = one.finding
    flip = one.flip_margin
    unit = f" {finding.claim.unit}".rstrip()
    first = [one.verdicts[f"first {count}"] for count in FIRST]
    halves = [one.verdicts[half] for half in HALVES]
    order = list(SYMBOLS).index(finding.verdict)
    return {
        "verdict": Cell(
            f"{SYMBOLS[finding.verdict]} {finding.verdict}",
            sort=order,
            markup=mark(finding.verdict),
        ),
        "flips at": Cell(
            NOTHING if flip is None else f"{flip:.2g}{unit}",
            below="" if flip is None else f"own {finding.claim.margin:g}",
            sort=math.nan if flip is None else flip,
        ),
        "changed by": Cell(
            ", ".join(f"{name}: {one.verdicts[name]}" for name in one.changed_by) or NOTHING,
            sort=len(one.changed_by),
        ),
        "one left out": Cell(
            f"{one.flips_without_one} of {len(one.without)}", sort=one.flips_without_one
        ),
        f"first {', '.join(map(str, FIRST))}": Cell(
            " ".join(SYMBOLS[verdict] for verdict in first), below=", ".join(first)
        ),
        "halves": Cell(" ".join(SYMBOLS[verdict] for verdict in halves), below=", ".join(halves)),
        "wins": Cell(
            NOTHING if finding.wins is None else f"{100 * finding.wins:.0f} %", sort=finding.wins
        ),
    }


def expected_numbers(chapters: Sequence[Results]) -> dict[str, str]:
    """Values to glue on how many of the log's numbers are compatible with our protocol.

    ``expected-cells`` is the count of numbers in the log's tables that vary between seeds;
    ``expected-inside`` of them lie in the 95 % prediction interval for a mean of as many seeds as
    the log has. ``expected-differences`` and ``expected-differences-inside`` are the same for
    differences to the chapter's baseline.
    """
    rows = [
        row
        for results in chapters
        for name in dict.fromkeys(cell.metric for cell in results.study.reported)
        for row in summarise(results, name)
    ]
    pairs = {
        "": [(row.reported, row.expected) for row in rows],
        "-differences": [(row.reported_difference, row.expected_difference) for row in rows],
    }
    said = {}
    for name, cells in pairs.items():
        known = [(value, limits) for value, limits in cells if value is not None and limits]
        inside = sum(low <= value <= high for value, (low, high) in known)
        said[f"expected{name or '-cells'}"] = str(len(known))
        said[f"expected{name}-inside"] = str(inside)
    return said


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
