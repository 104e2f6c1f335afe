"""One look for every figure: right on light and on dark pages, in greyscale, and at every width."""

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
"""Inches. A phone of 375 px leaves a figure about 343 px, three quarters of this, and then text of
:data:`SMALL` is 10 px tall. Nothing on a figure is smaller."""
WIDE = 7.0
"""Inches: how wide :func:`figure` draws it again for wider columns of text, with the same letters
and lines. On a column of 624 px, which a window of 1200 px leaves, letters are 13 px tall."""
TALLER = 1.2
"""Factor from the height of a drawing to that of the wide one, where a figure names no other."""
SMALL = 10.5
"""Points: legends, and the titles of small pictures."""

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
to a contrast of 3 on white and on the dark page; dash and marker tell the arms apart without."""
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
"""The look of arms that several chapters show, a place in :data:`LINES`."""
PAGES = ("#ffffff", "#121212")
"""What figures are drawn on: the theme's light and dark pages."""
COLOURS = "cividis"
"""Colours of matrices: dark to bright in greyscale too, and the same to colour-blind readers."""
PALE = 0.65
"""Opacity of what stands behind, such as the baseline: still a contrast of 3 on both pages."""

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


def looks(names: Sequence[str], baseline: str | None = None) -> dict[str, Line]:
    """How arms are drawn in one figure: those of :data:`KNOWN` as everywhere in the book.

    Others take the looks that are left, in order; an arm of a variant such as ``wide, k 3 → 50``
    has the look of what stands last in its name.
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
    """Draw inside: matplotlib's settings are as they were afterwards."""
    with mpl.rc_context(RC):
        yield


def canvas(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes and a faint grid."""
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    return fig, grid(fig.add_subplot())


def grid(axes: Axes) -> Axes:
    """The axes with a faint grid behind what is drawn."""
    axes.grid(alpha=0.25, color=INK)
    axes.set_axisbelow(True)
    return axes


def matrix(axes: Axes, values: Sequence[Sequence[float]], title: str, most: float) -> AxesImage:
    """Values (out, in) from 0 to `most` as a picture, the first output on top."""
    image = axes.imshow(values, vmin=0.0, vmax=most, cmap=COLOURS, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=SMALL)
    return image


def legend(fig: FigureBase, axes: Axes) -> None:
    """Name the lines of the axes below the figure, in as many columns as their names leave."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:  # matplotlib warns of an empty one
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
    """Show a matplotlib figure as vector graphics with an alternative text and a caption.

    It is drawn twice, for a phone as it is and for wider columns at :data:`WIDE`; a page shows the
    one that its column has room for, as wide as the column.

    Parameters
    ----------
    alt : what the figure shows, with its numbers.
    name, rows : the plotted values, offered below the figure as ``name.csv``; without rows there is
        no such offer. The picture itself is offered as ``name.svg``.
    more : further HTML for the place where these stand.
    taller : factor to the height of the wide drawing: 1 for rows of text, ``WIDE / WIDTH`` for
        pictures that keep their shape.

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
    """The figure as a file: without a page to take colours and letters from, it brings its own."""
    style = "color: #222; background: #fff; font-family: 'DejaVu Sans', Verdana, sans-serif"
    return svg.replace("<svg", f'<svg style="{style}"', 1)


def _widen(fig: Figure, taller: float) -> None:
    """Make a figure as wide as :data:`WIDE`, with as many columns in its legends as fit there."""
    fig.set_size_inches(WIDE, fig.get_figheight() * taller)
    for part in (fig, *fig.subfigs):
        for old in list(part.legends):
            labels = [text.get_text() for text in old.get_texts()]
            longest = max(map(len, labels))
            old.remove()
            # A line of small letters holds about 75 here, and a sample of a line is worth 7.
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
    # Names such as "axes_1" would stand once a figure on the page, and nothing refers to them.
    svg = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", svg)
    svg = re.sub(r" font-family: [^;\"]+;", "", svg)  # the page's own letters
    svg = svg.replace(INK, "currentColor")
    svg = _lighter(svg)
    return svg.replace("<svg", f'<svg class="{name}" role="img" aria-label="{escape(alt)}"', 1)


def _lighter(svg: str) -> str:
    """The same picture in half the bytes: no indents, bare groups, idle turns or spare digits.

    Marks in a row that look the same say so once, and pictures have a palette.
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
    """A PNG in base64 with a palette, where it has few colours: the same pixels in fewer bytes."""
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
    """Coordinates to a tenth of a point, and of small parts to a hundredth: no eye sees more."""
    return re.sub(r"\d+\.\d+", lambda found: _short(float(found[0])), attribute[0])


def _short(size: float) -> str:
    return f"{round(size, 1 if size >= 10.0 else 2):g}"
