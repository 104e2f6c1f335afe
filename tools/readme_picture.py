"""Draw the README's figure and the preview card for shared links, both of v11, from records.

python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from spatialnb import report
from spatialnb.report.formatting import number
from spatialnb.report.style import LINES, alone
from spatialnb.report.summary import summarise
from spatialnb.studies import get
from spatialnb.study.results import Results

STATIC = Path(__file__).parents[1] / "book" / "_static"


def picture(results: Results) -> None:
    """Write the chapter's figure to the file that the README shows."""
    shown = report.trade_off(results, "sparsity")
    start, end = shown.html.index("<svg"), shown.html.index("</svg>") + len("</svg>")
    (STATIC / "v11.svg").write_text(alone(shown.html[start:end]) + "\n", encoding="utf-8")


def card(results: Results) -> None:
    """Write the card, 1200 × 630 pixels: the book's question, and the accuracy of every arm."""
    rows = summarise(results, "accuracy")
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    figure.text(0.06, 0.86, "Does it help a network to know", fontsize=34, weight="bold")
    figure.text(0.06, 0.77, "where its neurons are?", fontsize=34, weight="bold")
    axes = figure.add_axes((0.24, 0.2, 0.7, 0.5))
    for place, row in enumerate(rows):
        color = "#222222" if row.arm == results.study.baseline else LINES[0][0]
        axes.plot([row.ours.low, row.ours.high], [place, place], color=color, lw=5, alpha=0.5)
        axes.plot(row.ours.estimate, place, "o", color=color, ms=11)
        said = number(row.ours.estimate, 1)
        axes.annotate(said, (row.ours.high, place), (12, -6), textcoords="offset points", size=17)
    labels = [results.study.label(row.arm) for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=17)
    axes.tick_params(axis="x", labelsize=14)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    n = len(results.seeds)
    words = f"Test accuracy on CIFAR-10 (%), mean and 95 % interval, n = {n} seeds"
    figure.text(0.06, 0.07, words, fontsize=17, color="#444444")
    figure.savefig(STATIC / "card.png", metadata={"Software": None})


if __name__ == "__main__":
    found = get("v11").run(progress=False)
    picture(found)
    card(found)
