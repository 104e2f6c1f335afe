"""Measure the size and the first paint of every page of the built book, read from disk.

    python benchmarks/pages.py [FOLDER] [--rounds 5]    # default: _build/html, from `make book`

Size includes the page and every file that it loads. First paint is measured by Chromium in a new
tab with an empty cache, without a network.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BUILT = Path(__file__).parents[1] / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def load(browser: Any, path: Path) -> tuple[float, int]:
    """First paint in milliseconds, and bytes loaded."""
    loaded: set[str] = set()
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("request", lambda request: loaded.add(urlsplit(request.url).path))
    page.goto(path.as_uri())
    page.wait_for_function(PAINT)
    paint = float(page.evaluate(PAINT))
    context.close()
    files = [Path(unquote(name)) for name in loaded]
    return paint, sum(file.stat().st_size for file in files if file.is_file())


def main() -> None:
    """Measure every page and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=BUILT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    options = parser.parse_args()
    figures = {}
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or not (options.folder / "book").is_dir():
        print("skipped: needs the built book (make book) and Chromium")
        return

    from playwright.sync_api import sync_playwright

    print(f"{'page':34}{'kB':>8}{'first paint, ms: median':>26}{'worst':>8}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for path in sorted(options.folder.resolve().glob("book/*.html")):
            paints, weights = zip(
                *(load(browser, path) for _ in range(options.rounds)), strict=True
            )
            figures[path.stem] = {
                "kb": max(weights) / 1000,
                "median_ms": statistics.median(paints),
                "worst_ms": max(paints),
            }
            print(
                f"{path.stem:34}{max(weights) / 1000:8.0f}"
                f"{statistics.median(paints):26.0f}{max(paints):8.0f}"
            )
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
