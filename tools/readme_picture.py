"""Draw the README's picture, a figure of chapter v11, from the committed records.

python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from spatialnb import report
from spatialnb.studies import get

TARGET = Path(__file__).parents[1] / "book" / "_static" / "v11.svg"


def main() -> None:
    """Write the figure where the README looks for it."""
    shown = report.trade_off(get("v11").run(progress=False), "sparsity")
    start, end = shown.html.index("<svg"), shown.html.index("</svg>") + len("</svg>")
    # As an image the figure cannot take a page's colours, so it brings its own.
    picture = shown.html[start:end].replace("<svg", '<svg style="color: #222; background: #fff"', 1)
    TARGET.write_text(picture + "\n", encoding="utf-8")
    print(f"{TARGET}: {shown.text}")


if __name__ == "__main__":
    main()
