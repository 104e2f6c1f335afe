"""Sphinx extension: every result in one file and every claim in another, beside the pages.

They are written for a book with the page that describes them, and again where the package or the
records changed since they were.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import spatialnb
from spatialnb import studies
from spatialnb.report.all_results import write_all

FOLDER = "results"
"""In the built book."""
PAGE = "book/all_results"
"""It links to the files, and describes them."""


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the files, unless those that are there are made from the same."""
    if exception is not None or app.builder.format != "html" or PAGE not in app.env.found_docs:
        return
    folder, known = Path(app.outdir) / FOLDER, Path(app.doctreedir) / "results.key"
    key = _key(Path(spatialnb.__file__).parent, Path(app.srcdir) / "book" / "records")
    if folder.is_dir() and known.is_file() and known.read_text("utf-8") == key:
        return
    parts = {"I": studies.ledger(), "II": studies.controls()}
    write_all(folder, studies.recorded(), parts)
    known.write_text(key, "utf-8")


def _key(*folders: Path) -> str:
    """Changes with any file in the folders."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".json"):
                about = path.stat()
                found.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode())
    return found.hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
