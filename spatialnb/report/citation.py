"""Data for citing a number in a table; `cite.js` builds a citation from it and the row's name.

A row with one number has the parts of its citation. A row with several numbers has the parts that
they share, and a list with the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spatialnb.report.formatting import bounds, slug, spread
from spatialnb.report.html_tables import Cell
from spatialnb.report.sources import sources
from spatialnb.study import metrics
from spatialnb.study.inference import Interval
from spatialnb.study.results import Results

LEVEL = "95 %"
"""Confidence level of all intervals in tables."""


def number_parts(
    results: Results, metric: str, arms: Sequence[str], ours: Interval, what: str
) -> dict[str, Any]:
    """The parts of a citation of a mean: description, value, interval, n, arms and records.

    Parameters
    ----------
    arms : arms over whose runs the mean is taken; several if their values are equal in every seed.
    what : the words before the name of the metric, such as ``v05, linear``.
    """
    wanted = metrics.metric(metric)
    unit = f" {wanted.unit}" if wanted.unit else ""
    return {
        "what": f"{what}, {wanted.title}",
        "value": spread(ours.estimate, ours.sd, wanted.digits) + unit,
        "interval": bounds(ours, wanted.digits, empty=""),
        "level": LEVEL,
        "n": ours.n,
        "of": "pairs of seeds" if wanted.kind == "pair" else "seeds",
        "arms": list(arms),
        **sources(results, arms, metric),
    }


def derived_parts(
    what: str, value: str, interval: str, n: int, of: str, also: str, arms: Sequence[str]
) -> dict[str, Any]:
    """The parts of a citation of a number that comes from a verdict, without its records."""
    return {
        "what": what,
        "value": value,
        "interval": interval,
        "level": LEVEL,
        "n": n,
        "of": of,
        "also": also,
        "arms": list(arms),
        "records": [],
        "count": 0,
        "commits": [],
    }


def cited(name: str, key: str, parts: Mapping[str, Any], markup: str = "") -> Cell:
    """A cell with the name of a row whose single number can be cited.

    Parameters
    ----------
    key : the row's id, the last part of its address.
    parts : the output of :func:`number_parts`.
    markup : HTML to show instead of the name.
    """
    shown = markup or escape(name)
    return Cell(
        name, markup=f'<span id="{escape(key)}" data-cite={attribute(parts)}>{shown}</span>'
    )


def cited_row(
    name: str, key: str, numbers: Mapping[str, Mapping[str, Any]], markup: str = ""
) -> Cell:
    """A cell with the name of a row whose numbers can be cited; without numbers, only the name.

    Parameters
    ----------
    key : the row's id, the last part of its address.
    numbers : the parts of each number's citation, by column.
    markup : HTML to show instead of the name.
    """
    if not numbers:
        return Cell(name)
    every = list(numbers.values())
    shared = {
        part: value
        for part, value in every[0].items()
        if all(part in one and one[part] == value for one in every)
    }
    own = [
        {"name": column, "id": f"{key}-{slug(column)}"}
        | {part: value for part, value in one.items() if part not in shared}
        for column, one in numbers.items()
    ]
    return cited(name, key, {**shared, "numbers": own}, markup)


def attribute(data: Mapping[str, Any]) -> str:
    """JSON as an HTML attribute value, in single quotes because JSON has many double quotes."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return "'" + escape(text, quote=False).replace("'", "&#x27;") + "'"
