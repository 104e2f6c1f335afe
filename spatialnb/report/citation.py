"""What `cite.js` makes a citation of a number from, beside the name of the row that it stands in.

A row with one number has its parts; a row with several has what these share, and a list of them.
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
"""Of every interval in a table."""


def number_parts(
    results: Results, metric: str, arms: Sequence[str], ours: Interval, what: str
) -> dict[str, Any]:
    """The parts of a citation of a mean: what it is, value, interval, n, arms and records.

    Parameters
    ----------
    arms : whose runs the mean is over; several where their values are the same in every seed.
    what : the words before the name of the metric: ``v05, linear``.
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


def cited(name: str, key: str, parts: Mapping[str, Any], markup: str = "") -> Cell:
    """The name of a row as a cell, whose one number can be cited.

    Parameters
    ----------
    key : the id of the row, which its address ends with.
    parts : as :func:`number_parts` gives them.
    markup : HTML that takes the place of the name.
    """
    shown = markup or escape(name)
    return Cell(
        name, markup=f'<span id="{escape(key)}" data-cite={attribute(parts)}>{shown}</span>'
    )


def cited_row(name: str, key: str, numbers: Mapping[str, Mapping[str, Any]]) -> Cell:
    """The name of a row as a cell, whose numbers can be cited; without numbers the name alone.

    Parameters
    ----------
    key : the id of the row, which its address ends with.
    numbers : the parts of each by the name of its column.
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
    return cited(name, key, {**shared, "numbers": own})


def attribute(data: Mapping[str, Any]) -> str:
    """JSON data as the value of an attribute, in single quotes: it has many double ones."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return "'" + escape(text, quote=False).replace("'", "&#x27;") + "'"
