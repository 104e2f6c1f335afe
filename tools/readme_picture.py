"""Draw the README's picture, a figure of chapter v11, from the committed records.

python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from spatialnb import report
from spatialnb.report.style import alone
from spatialnb.studies import get

TARGET = Path(__file__).parents[1] / "book" / "_static" / "v11.svg"


def main() -> None:
    """Write the figure where the README looks for it."""
    shown = report.trade_off(get("v11").run(progress=False), "sparsity")
    start, end = shown.html.index("<svg"), shown.html.index("</svg>") + len("</svg>")
    TARGET.write_text(alone(shown.html[start:end]) + "\n", encoding="utf-8")
    print(f"{TARGET}: {shown.text}")


if __name__ == "__main__":
    main()
