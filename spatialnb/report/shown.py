"""What a cell displays: HTML for a page, text for a terminal."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

# The theme puts HTML outputs on a light card when the page is dark; ours take the page's colours.
STYLE = """<style>
.cell_output .text_html:has(> .spatialnb) {
  background: transparent !important; color: inherit !important; padding: 0 !important;
}
.spatialnb { margin: 0 0 1.5rem; color: inherit; }
.spatialnb .wide { overflow-x: auto; max-width: 100%; }
.spatialnb table.dataframe { margin: 0 0 .5rem; font-size: .9em; }
.spatialnb table.dataframe caption { caption-side: top; }
.spatialnb table.dataframe th, .spatialnb table.dataframe td {
  padding: .25em .6em; text-align: right; white-space: nowrap; vertical-align: top;
  font-variant-numeric: tabular-nums;
}
.spatialnb table.dataframe thead th { white-space: normal; vertical-align: bottom; }
.spatialnb table.dataframe tbody th { text-align: left; }
.spatialnb table.findings tbody th, .spatialnb table.findings td:last-child {
  text-align: left; white-space: normal; min-width: 18em;
}
.spatialnb p, .spatialnb details, .spatialnb figcaption { font-size: .85em; margin: .25rem 0; }
.spatialnb figure { margin: 0; color: inherit; }
.spatialnb caption, .spatialnb figcaption {
  color: inherit !important; font-weight: inherit; opacity: 1; text-align: left;
}
.spatialnb svg { max-width: 100%; height: auto; }
</style>"""


@dataclass(frozen=True, repr=False)
class Shown:
    """Something to look at: `html` on a page, `text` where there is none."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f'{STYLE}\n<div class="spatialnb">\n{self.html}\n</div>'

    def __repr__(self) -> str:
        return self.text


def download(name: str, text: str, kind: str = "text/csv") -> str:
    """A link that holds the file itself, so that it works from a disk and without a network."""
    data = base64.b64encode(text.encode()).decode()
    link = f"data:{kind};charset=utf-8;base64,{data}"
    return f'<a download="{escape(name)}" href="{link}">{escape(name)}</a>'


def details(title: str, body: str) -> str:
    """A part that is folded away until it is asked for. `body` is HTML."""
    return f"<details><summary>{escape(title)}</summary>\n{body}\n</details>"
