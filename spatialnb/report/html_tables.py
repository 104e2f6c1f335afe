"""HTML tables with one style for the whole book."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from html import escape

import pandas as pd

from spatialnb.report.display import NOTHING, download

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Cell:
    """A table cell: a text, a smaller line below it, and a value by which the column is sorted.

    `markup` is HTML that a page shows instead of the text, such as a link or a small picture.
    """

    text: str
    below: str = ""
    sort: float | str | None = None
    markup: str = ""

    def __str__(self) -> str:
        return f"{self.text}; {self.below}" if self.below else self.text

    def html(self, tag: str, attributes: str = "") -> str:
        """The cell as an HTML element, with the sort value if it differs from the text."""
        inside = self.markup or escape(self.text)
        if self.below:
            inside += f'<span class="below">{escape(self.below)}</span>'
        return f"<{tag}{attributes}{self._sort()}>{inside}</{tag}>"

    def _sort(self) -> str:
        if self.sort is None:
            return ' data-sort=""' if self.text == NOTHING else ""
        missing = isinstance(self.sort, float) and math.isnan(self.sort)
        value = "" if missing else str(self.sort)  # all digits, because own_run.js compares them
        return "" if value == self.text else f' data-sort="{escape(value)}"'


def as_html(data: pd.DataFrame, title: str, classes: str = "", corner: str = "") -> str:
    """A table of texts and :class:`Cell` that scrolls horizontally on narrow pages.

    On pages with the book's script, clicks on a column's header sort by it: first ascending, then
    descending, then in the original order.

    Parameters
    ----------
    data : the rows, indexed by name. A column's name may have two lines, ``"none | reported"``.
    title : the caption.
    classes : additional CSS classes of the table.
    corner : the header of the row names.
    """
    head = "".join(_head(str(name)) for name in (corner, *data.columns))
    rows = []
    for name, values in zip(data.index, data.to_numpy().tolist(), strict=True):
        cells = "".join(_cell(value).html("td") for value in values)
        rows.append("<tr>" + _name(name).html("th", ' scope="row"') + cells + "</tr>")
    label = escape(title)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="{f"data sortable asc n-last {classes}".strip()}">'
        f"<caption><span>{label}</span></caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table></div>"
    )


def as_json(data: pd.DataFrame) -> str:
    """A table as JSON, one object per row, with all digits of the CSV."""
    rows = data.astype(object).where(pd.notna(data), None).to_dict("records")
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def downloads(stem: str, data: pd.DataFrame) -> str:
    """Download links for a table's numbers as CSV and JSON, one record per row."""
    csv = data.to_csv(index=False)
    return (
        f"<p>Download: {download(f'{stem}.csv', csv)}, "
        f"{download(f'{stem}.json', as_json(data), 'application/json')}</p>"
    )


def as_text(data: pd.DataFrame, title: str) -> str:
    """The table as text for a terminal."""
    plain = data.rename(columns=lambda name: str(name).replace(" | ", ", "))
    return f"{title}\n{plain.to_string()}"


def _cell(value: object) -> Cell:
    return value if isinstance(value, Cell) else Cell(str(value))


def _name(value: object) -> Cell:
    """A row's name as a cell that sorts naturally, with 15 before 100."""
    cell = _cell(value)
    if cell.sort is not None:
        return cell
    order = NUMBER.sub(lambda found: f"{float(found[0]):013.6f}", cell.text.lower())
    return cell if order == cell.text else dataclasses.replace(cell, sort=order)


def _head(name: str) -> str:
    first, _, second = name.partition(" | ")
    below = f'<span class="below">{escape(second)}</span>' if second else ""
    return f'<th scope="col">{escape(first)}{below}</th>' if name else '<td class="no-sort"></td>'
