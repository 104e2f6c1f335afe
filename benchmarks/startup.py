"""Measure how long the command line, the chapters' notebooks and the book's build take.

    python benchmarks/startup.py [--rounds 5] [--json FILE]

Wall-clock seconds, measured one after another: `spatialnb --help` and an empty Python program,
medians over rounds; every chapter's notebook alone, from its published records; building the book
from scratch, and again without changes. This rebuilds the book of this checkout.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def seconds(*command: str) -> float:
    """Seconds that a command takes; CalledProcessError if it fails."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def chapters() -> dict[str, float]:
    """Seconds of every chapter's notebook, including the start of its kernel."""
    import nbformat
    from nbclient import NotebookClient

    found = {}
    for path in sorted((ROOT / "book").glob("[vc][0-9]*.ipynb")):
        client = NotebookClient(
            nbformat.read(path, as_version=4), resources={"metadata": {"path": str(path.parent)}}
        )
        started = time.perf_counter()
        client.execute()
        found[path.stem.partition("_")[0]] = time.perf_counter() - started
    return found


def main() -> None:
    """Measure everything, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds for the command line  [default: 5]"
    )
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {arguments.rounds}")
    python = sys.executable
    found = [
        (seconds(python, "-m", "spatialnb", "--help"), seconds(python, "-c", "pass"))
        for _ in range(arguments.rounds)
    ]
    took = chapters()
    shutil.rmtree(ROOT / "_build", ignore_errors=True)
    build = (python, "tools/build_book.py")
    figures: dict[str, Any] = {
        "help_s": statistics.median(helped for helped, _ in found),
        "python_s": statistics.median(nothing for _, nothing in found),
        "chapters": len(took),
        "chapter_s": statistics.median(took.values()),
        "longest": max(took, key=took.__getitem__),
        "longest_s": max(took.values()),
        "book_s": seconds(*build),
        "again_s": seconds(*build),
    }
    for name, value in figures.items():
        print(f"{name:>12}  {value:.2f}" if isinstance(value, float) else f"{name:>12}  {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
