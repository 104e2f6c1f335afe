"""Claims in subsets of the universes, to see on which choices of protocol they depend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from spatialnb.report.display import Shown
from spatialnb.report.formatting import number, slug
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study.multiverse import ClaimAcross, Part, estimates, part
from spatialnb.study.results import Results

DIGITS = 2
"""Decimals of a difference in points."""


def part_numbers(
    results: Results, claims: Sequence[ClaimAcross], parts: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Values to glue for each claim in each part of the universes.

    ``<study>-<key>-in-<part>`` is the mean difference in points; with ``-holds`` and ``-of``, in
    how many of how many universes of the part the claim holds.
    """
    said = {}
    for claim, found in _found(results, claims, parts):
        for name, one in found.items():
            key = f"{results.study.id}-{claim.key}-in-{slug(name)}"
            said[key] = number(one.mean, DIGITS, True)
            said[f"{key}-holds"], said[f"{key}-of"] = str(one.holding), str(one.n)
    return said


def part_table(
    results: Results,
    claims: Sequence[ClaimAcross],
    parts: Mapping[str, Sequence[str]],
    title: str,
    corner: str,
) -> Shown:
    """A table of each claim's mean difference over the universes of each part.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    claims : the claims, one per column.
    parts : the codes of the universes, by the name of a row.
    title, corner : the caption, and the header of the row names.
    """
    columns = list(_found(results, claims, parts))
    data = pd.DataFrame(
        {
            f"{claim.arm} | − {claim.against}": [_cell(one) for one in found.values()]
            for claim, found in columns
        },
        index=[Cell(name, sort=place) for place, name in enumerate(parts)],
    )
    data.index.name = None
    rows = [
        {"part": name, "claim": claim.key, **one._asdict()}
        for claim, found in columns
        for name, one in found.items()
    ]
    rules = [f"{claim.arm} − {claim.against}" for claim in claims if claim.rule == "equals"]
    note = "The mean difference over these universes, in points, and in how many the claim holds."
    if rules:
        note += f" Of {' and '.join(rules)}, the claim is that it is within half a point."
    html = (
        as_html(data, title, corner=corner)
        + f"<p>{escape(note)}</p>"
        + downloads(f"{results.study.id}-{slug(corner)}", pd.DataFrame(rows))
    )
    return Shown(html, as_text(data, title) + "\n" + note)


def _found(
    results: Results, claims: Sequence[ClaimAcross], parts: Mapping[str, Sequence[str]]
) -> list[tuple[ClaimAcross, dict[str, Part]]]:
    codes = list(dict.fromkeys(code for chosen in parts.values() for code in chosen))
    found = []
    for claim in claims:
        ours = estimates(results, claim, codes)
        found.append((claim, {name: part(claim, ours, some) for name, some in parts.items()}))
    return found


def _cell(one: Part) -> Cell:
    return Cell(number(one.mean, DIGITS, True), below=f"{one.holding} of {one.n}", sort=one.mean)
