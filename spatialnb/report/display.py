"""Output of a notebook cell: HTML for a page, text for a terminal."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

NOTHING = "–"
"""Shown in place of a missing number; tables sort it last."""

# The theme shows HTML outputs on a light card on dark pages; these use the page's own colours.
STYLE = """<style>
.cell_output .text_html:has(> .spatialnb) {
  background: transparent !important; color: inherit !important; padding: 0 !important;
}
.spatialnb { margin: 0 0 1.5rem; color: inherit; --line: var(--pst-color-border, #8886); }
.spatialnb .wide { overflow-x: auto; max-width: 100%; container-type: inline-size; }
.spatialnb p, .spatialnb details, .spatialnb figcaption, .spatialnb li {
  font-size: .85rem; margin: .25rem 0;
}
.spatialnb table.data {
  margin: 0 0 .5rem; font-size: .85rem; width: 100%; border-collapse: collapse; border: 0;
  border-bottom: 2px solid var(--line); color: inherit;
}
.spatialnb caption, .spatialnb figcaption {
  color: inherit !important; font-weight: inherit; opacity: 1; text-align: left;
}
.spatialnb table.data caption { caption-side: top; font-weight: 600; padding: 0 0 .4em; }
.spatialnb table.data caption span {
  display: inline-block; position: sticky; left: 0; max-width: 100cqw;
}
.spatialnb table.data :is(th, td) {
  padding: .3em .6em; text-align: right; white-space: nowrap; vertical-align: top; border: 0;
  border-top: 1px solid var(--line); background: transparent; color: inherit;
  font-variant-numeric: tabular-nums;
}
.spatialnb table.data thead :is(th, td) {
  vertical-align: bottom; border-top: 2px solid var(--line); border-bottom: 1px solid currentColor;
}
.spatialnb table.data tbody tr:hover { background: var(--pst-color-surface, #8881); }
.spatialnb table.data :is(tbody th, thead tr > :first-child) {
  text-align: left; position: sticky; left: 0; background: var(--pst-color-background, Canvas);
}
.spatialnb table.data tbody th { font-weight: 600; white-space: normal; min-width: 6em; }
.spatialnb table.findings tbody th { font-weight: inherit; min-width: min(16em, 50vw); }
.spatialnb table.populations tbody th { font-weight: inherit; min-width: min(10em, 50vw); }
.spatialnb .to-row::before { content: "#"; margin-left: .3em; }
.spatialnb table.behind tbody th { font-weight: inherit; }
.spatialnb details .wide:has(table.behind) { max-height: 22rem; overflow-y: auto; }
.spatialnb .below {
  display: block; font-size: .92em; font-weight: normal;
  color: var(--pst-color-text-muted, inherit);
}
.spatialnb td:has(> .verdict) .below { white-space: normal; max-width: 10em; margin-left: auto; }
.spatialnb :is(.verdict, .size) {
  white-space: nowrap; font-weight: 600; padding: .1em .5em; border-radius: .3em;
  border: 1px solid currentColor;
}
.spatialnb .verdict.holds { background: #0072b224; }
.spatialnb .verdict.exceeded, .spatialnb .verdict.tied { background: #009e7324; }
.spatialnb .verdict.contradicted { background: #d55e0024; border-style: double; border-width: 3px; }
.spatialnb .verdict.undecided { border-style: dashed; }
.spatialnb .size { font-weight: normal; }
.spatialnb td > .size { display: block; width: fit-content; margin: .3em 0 .1em auto; }
.spatialnb .size.outside { border-style: dotted; }
.spatialnb .verdict.not-judged { border-style: dotted; }
.spatialnb .glance {
  border: 1px solid var(--line); border-left: .3rem solid var(--pst-color-primary, #0072b2);
  border-radius: .3rem; padding: .6rem 1rem;
}
.spatialnb .glance .head { font-weight: 600; font-size: 1rem; }
.spatialnb .glance ul { list-style: none; padding: 0; margin: .5rem 0; }
.spatialnb .glance li { margin: .55rem 0; }
.spatialnb .glance .below { padding-left: .6em; }
.spatialnb .glance .made { color: var(--pst-color-text-muted, inherit); }
.spatialnb dl.protocol { margin: .5rem 0; font-size: .85rem; }
.spatialnb .protocol dt { font-weight: 600; margin-top: .4rem; }
.spatialnb .protocol dd { margin: 0 0 0 1rem; overflow-wrap: anywhere; }
.spatialnb .protocol :is(ul, pre) { margin: .2rem 0; font-size: inherit; }
.spatialnb .protocol ul { list-style: disc; padding-left: 1.1rem; }
.spatialnb .protocol li { margin: .1rem 0; }
.spatialnb figure { margin: 0; padding: 0; color: inherit; container-type: inline-size; }
.spatialnb svg { max-width: 100%; height: auto; }
.spatialnb figure > svg { display: block; width: 100%; }
.spatialnb figure > svg.broad { display: none; }
@container (width >= 30rem) {
  .spatialnb figure > svg.narrow { display: none; }
  .spatialnb figure > svg.broad { display: block; }
}
.spatialnb svg.spark { height: 26px; max-width: none; vertical-align: middle; }
</style>"""


@dataclass(frozen=True, repr=False)
class Shown:
    """An output with two forms: `html` on a page, `text` elsewhere."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f'{STYLE}\n<div class="spatialnb">\n{self.html}\n</div>'

    def __repr__(self) -> str:
        return self.text


def download(name: str, text: str, kind: str = "text/csv") -> str:
    """A download link that contains the file itself, so that it works offline and from disk."""
    data = base64.b64encode(text.encode()).decode()
    link = f"data:{kind};charset=utf-8;base64,{data}"
    return f'<a download="{escape(name)}" href="{link}">{escape(name)}</a>'


def details(title: str, body: str) -> str:
    """A collapsed section that opens on a click; `body` is HTML."""
    return f"<details><summary>{escape(title)}</summary>\n{body}\n</details>"
