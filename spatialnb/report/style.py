"""The style of all figures: legible on light and dark pages, in greyscale, at every width."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from PIL import Image

from spatialnb.report.display import Shown, details, download

WIDTH, HEIGHT = 4.7, 3.1
"""Size in inches. On a phone 375 px wide, a figure has about 343 px, three quarters of this width;
text of size :data:`SMALL`, the smallest on a figure, is then 10 px tall."""
WIDE = 7.0
"""Width in inches of a figure's second version, for wide columns, with the same text size and line
width. In a column of 624 px, as in a window of 1200 px, text is 13 px tall."""
TALLER = 1.2
"""Default ratio of the height of the wide version to that of the narrow one."""
SMALL = 10.5
"""Text size in points of legends and of the titles of small pictures."""

INK = "#7a7a7b"
"""Colour of axes and text: a grey that is legible on white and on black. On a page, it is replaced
by the page's text colour. Its last digit distinguishes it from greys that a figure uses."""

LINES = (
    ("#0077bb", "-", "o"),
    ("#d9661f", "--", "s"),
    ("#009988", "-.", "^"),
    ("#aa4499", ":", "D"),
    ("#cc3311", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#8a8a1f", (0, (1, 1)), "P"),
    ("#ee3377", (0, (8, 2)), "X"),
)
"""Colour, dash and marker by arm. The colours are Paul Tol's for colour-blind readers, darkened to
a contrast of 3 on light and dark pages; dash and marker distinguish arms without colour."""
KNOWN = {
    "k 3 → 50": 0,
    "exponential": 1,
    "k = 3": 1,
    "one number": 2,
    "per-layer scalar": 2,
    "scalar": 2,
    "one number, k = 15": 2,
    "linear decay": 3,
    "plane, k = 15": 4,
    "shuffled": 5,
    "shuffled, k = 15": 5,
    "permuted, k = 15": 6,
}
"""Styles of arms that several chapters show, as indices into :data:`LINES`."""
PAGES = ("#ffffff", "#121212")
"""Background colours of the theme's light and dark pages."""
COLOURS = "cividis"
"""Colour map of matrices: monotonic in greyscale, and legible to colour-blind readers."""
PALE = 0.65
"""Opacity of lines in the background, such as the baseline, still with a contrast of 3."""

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
    "svg.fonttype": "none",  # text stays text, for small files and searchable figures
    "svg.hashsalt": "spatialnb",  # reproducible bytes
}


class Line(NamedTuple):
    """The style in which an arm is drawn."""

    color: str
    dash: str | tuple[int, tuple[int, ...]]
    marker: str


def line(place: int, baseline: bool = False) -> Line:
    """The style with this index; the baseline has the colour of the text."""
    color, dash, marker = LINES[place % len(LINES)]
    return Line(INK if baseline else color, "-" if baseline else dash, marker)


def looks(names: Sequence[str], baseline: str | None = None) -> dict[str, Line]:
    """The styles of arms in one figure; arms in :data:`KNOWN` look the same in all figures.

    Other arms get the remaining styles, in order. A variant such as ``wide, k 3 → 50`` has the
    style of the last part of its name.
    """
    wanted = {name: _known(name) for name in names if name != baseline}
    taken: dict[str, int] = {}
    for name, place in wanted.items():
        if place is not None and place not in taken.values():
            taken[name] = place
    others = [name for name in wanted if name not in taken]
    left = [place for place in range(len(LINES)) if place not in taken.values()] or [0]
    taken |= {name: left[number % len(left)] for number, name in enumerate(others)}
    return {name: line(taken.get(name, 0), baseline=name == baseline) for name in names}


def _known(name: str) -> int | None:
    parts = name.split(", ")
    ends = (", ".join(parts[start:]) for start in range(len(parts)))
    return next((KNOWN[end] for end in ends if end in KNOWN), None)


@contextmanager
def look() -> Iterator[None]:
    """Use the book's matplotlib settings inside, and restore the previous ones afterwards."""
    with mpl.rc_context(RC):
        yield


def canvas(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A new figure with one pair of axes and a faint grid."""
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    return fig, grid(fig.add_subplot())


def grid(axes: Axes) -> Axes:
    """Add a faint grid behind everything drawn on the axes, and return the axes."""
    axes.grid(alpha=0.25, color=INK)
    axes.set_axisbelow(True)
    return axes


def matrix(axes: Axes, values: Sequence[Sequence[float]], title: str, most: float) -> AxesImage:
    """Draw values (out, in) from 0 to `most` as an image, with the first output on top."""
    image = axes.imshow(values, vmin=0.0, vmax=most, cmap=COLOURS, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=SMALL)
    return image


def legend(fig: FigureBase, axes: Axes) -> None:
    """Add a legend below the figure, in as many columns as its labels allow."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:  # matplotlib warns about an empty legend
        _legend(fig, handles, labels, 1 if max(map(len, labels)) > 20 else 2)


def _legend(fig: FigureBase, handles: Sequence[Any], labels: Sequence[str], columns: int) -> None:
    fig.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        fontsize=SMALL,
        handlelength=2.6,
    )


def figure(
    fig: Figure,
    alt: str,
    caption: str = "",
    *,
    name: str = "figure",
    rows: Sequence[Mapping[str, object]] = (),
    more: str = "",
    taller: float = TALLER,
) -> Shown:
    """Show a matplotlib figure as SVG, with an alternative text and a caption.

    It is drawn twice, as it is for a phone, and with the width :data:`WIDE` for wider columns; a
    page shows the version that fits its column, scaled to the column's width.

    Parameters
    ----------
    alt : what the figure shows, with its numbers.
    name, rows : file name and plotted values; with rows, ``name.csv`` can be downloaded below the
        figure. The figure itself can be downloaded as ``name.svg``.
    more : additional HTML next to the downloads.
    taller : ratio of the height of the wide version to that of the narrow one: 1 for rows of text,
        ``WIDE / WIDTH`` for pictures with a fixed shape.

    Raises
    ------
    ValueError : no alternative text; say what the figure shows, with its numbers.
    """
    if not alt.strip():
        raise ValueError(
            "figure: expected an alternative text; say what it shows, with its numbers"
        )
    small = _svg(fig, alt, "narrow")
    _widen(fig, taller)
    large = _svg(fig, alt, "broad")
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    csv = [download(f"{name}.csv", pd.DataFrame(rows).to_csv(index=False))] if rows else []
    links = [*csv, download(f"{name}.svg", alone(large), "image/svg+xml")]
    source = details("Source of this figure", f"<p>{', '.join(links)}</p>{more}")
    text = f"{alt}\n{caption}".strip()
    return Shown(f"<figure>{small}{large}{under}</figure>\n{source}", text)


def alone(svg: str) -> str:
    """The figure as a file, with colours and fonts of its own, since there is no page around it."""
    style = "color: #222; background: #fff; font-family: 'DejaVu Sans', Verdana, sans-serif"
    return svg.replace("<svg", f'<svg style="{style}"', 1)


def _widen(fig: Figure, taller: float) -> None:
    """Widen a figure to :data:`WIDE`, with as many columns in its legends as fit."""
    fig.set_size_inches(WIDE, fig.get_figheight() * taller)
    for part in (fig, *fig.subfigs):
        for old in list(part.legends):
            labels = [text.get_text() for text in old.get_texts()]
            longest = max(map(len, labels))
            old.remove()
            # A row has space for about 75 small characters, and a line sample takes that of 7.
            columns = max(1, min(len(labels), 75 // (longest + 7)))
            rows = math.ceil(len(labels) / columns)
            with look():
                _legend(part, old.legend_handles, labels, math.ceil(len(labels) / rows))


def _svg(fig: Figure, alt: str, name: str) -> str:
    buffer = io.StringIO()
    with look(), mpl.rc_context({"svg.hashsalt": f"spatialnb {name}"}):
        fig.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Ids such as "axes_1" would be repeated in every figure of a page, and nothing refers to them.
    svg = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", svg)
    svg = re.sub(r" font-family: [^;\"]+;", "", svg)  # use the page's font
    svg = svg.replace(INK, "currentColor")
    svg = _lighter(svg)
    return svg.replace("<svg", f'<svg class="{name}" role="img" aria-label="{escape(alt)}"', 1)


def _lighter(svg: str) -> str:
    """Halve the size of an SVG: remove indents, empty groups, no-op rotations and surplus digits.

    Consecutive marks share their style, and bitmaps get a palette.
    """
    kept: list[bool] = []

    def group(tag: re.Match[str]) -> str:
        if tag[0] == "</g>":
            return "</g>" if kept.pop() else ""
        kept.append(tag[0] != "<g>")
        return tag[0] if kept[-1] else ""

    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    svg = re.sub(r' (?:d|points|transform|x|y)="[^"]+"', _rounded, svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    svg = re.sub(r">\s+<", "><", re.sub(r"</?g\b[^>]*(?<!/)>", group, svg))
    svg = re.sub(r"(?<=data:image/png;base64,)[^\"]+", lambda found: _with_palette(found[0]), svg)
    return re.sub(r'<use [^>]* style="([^"]*)"/>(?:<use [^>]* style="\1"/>)+', _together, svg)


def _together(marks: re.Match[str]) -> str:
    style = f' style="{marks[1]}"'
    return f"<g{style}>{marks[0].replace(style, '')}</g>"


def _with_palette(data: str) -> str:
    """Convert a base64 PNG with few colours to one with a palette, with the same pixels."""
    picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")
    pixels = np.asarray(picture)
    colours, places = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(colours) > 256 or (colours[:, 3] < 255).any():
        return data
    small = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8), "P")
    small.putpalette(colours[:, :3].tobytes())
    written = io.BytesIO()
    small.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def _rounded(attribute: re.Match[str]) -> str:
    """Round coordinates to a tenth of a point, and those of small parts to a hundredth."""
    return re.sub(r"\d+\.\d+", lambda found: _short(float(found[0])), attribute[0])


def _short(size: float) -> str:
    return f"{round(size, 1 if size >= 10.0 else 2):g}"
