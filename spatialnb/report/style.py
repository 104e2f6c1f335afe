"""One look for every figure: right on light and on dark pages, in greyscale, and at phone width."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from spatialnb.report.shown import Shown

INK = "#7a7a7b"
"""Axes and text: a grey that is read on white and on black. On a page it becomes the page's own
colour of text. The last digit sets it apart from any grey that a figure may use itself."""

LINES = (
    ("#0077bb", "-", "o"),
    ("#d9661f", "--", "s"),
    ("#009988", "-.", "^"),
    ("#aa4499", ":", "D"),
    ("#cc3311", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#8a8a1f", (0, (1, 1)), "P"),
    ("#ee3377", (0, (8, 2)), "X"),
)
"""Colour, dash and marker by arm. The colours follow Paul Tol's for colour-blind readers, darkened
to a contrast of 3 on white and on #121212; dash and marker tell the arms apart without them."""

RC: dict[Any, Any] = {
    "font.size": 11.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.markersize": 4.0,
    "svg.fonttype": "none",  # text stays text: small files, and a reader can search it
    "svg.hashsalt": "spatialnb",  # the same figure gives the same bytes
}


class Line(NamedTuple):
    """How an arm is drawn."""

    color: str
    dash: str | tuple[int, tuple[int, ...]]
    marker: str


def line(place: int, baseline: bool = False) -> Line:
    """The look of the arm at this place. The baseline has the colour of the text."""
    color, dash, marker = LINES[place % len(LINES)]
    return Line(INK if baseline else color, "-" if baseline else dash, marker)


@contextmanager
def look() -> Iterator[None]:
    """Draw inside: matplotlib's settings are as they were afterwards."""
    with mpl.rc_context(RC):
        yield


def figure(fig: Figure, alt: str, caption: str = "") -> Shown:
    """Show a matplotlib figure as vector graphics with an alternative text and a caption.

    Raises
    ------
    ValueError : no alternative text; say what the figure shows, with its numbers.
    """
    if not alt.strip():
        raise ValueError(
            "figure: expected an alternative text; say what it shows, with its numbers"
        )
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Shown(f"<figure>{_svg(fig, alt)}{under}</figure>", f"{alt}\n{caption}".strip())


def _svg(fig: Figure, alt: str) -> str:
    buffer = io.StringIO()
    with look():
        fig.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Names such as "axes_1" would stand once a figure on the page, and nothing refers to them.
    svg = re.sub(r' id="[A-Za-z0-9]+_[0-9]+"', "", svg)
    svg = svg.replace(INK, "currentColor")
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
