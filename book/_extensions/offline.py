"""Sphinx extension: the pages are complete without a network.

- The run records stand beside them, under ``records/``, where the tables link to them.
- What Jupyter Book loads for live code, which the book does not offer, is left out: it would name
  another site in every page, and ask for a stylesheet that is nowhere.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def drop_thebe(app: Sphinx, config: Config) -> None:
    """Leave out what Jupyter Book loads for live code."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files = [file for file in app.registry.css_files if "thebe" not in file[0]]


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Put the records into the built book."""
    records = Path(app.srcdir) / "book" / "records"
    if exception is None and app.builder.format == "html" and records.is_dir():
        shutil.copytree(records, Path(app.outdir) / "records", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    # It numbers sections after all pages are read, in one process, and merely does not say so;
    # without the word Sphinx would read, and so run, one notebook after another.
    if "sphinx_multitoc_numbering" in app.extensions:
        app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.connect("config-inited", drop_thebe)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
