"""Sphinx extension: what the pages need beside them to be complete without a network.

- MathJax, from the package sphinx-mathjax-offline, instead of from another site. One file is all:
  its SVG output carries its glyphs, where its HTML output loads fonts, which a browser may refuse
  to a page opened from disk. (That package's own extension copies all 24 MB of it, and would keep
  Sphinx from reading pages in parallel.)
- The run records, under ``records/``, where the tables link to them.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

MATHJAX = "mathjax/tex-svg.js"


def use_bundled_mathjax(app: Sphinx, config: Config) -> None:
    """Point Sphinx at the copy under ``_static``."""
    config.mathjax_path = MATHJAX


def drop_thebe(app: Sphinx, config: Config) -> None:
    """Leave out what Jupyter Book loads for live code, which the book does not offer.

    It would name another site in every page, twice, and so make an error of the second time.
    """
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files = [file for file in app.registry.css_files if "thebe" not in file[0]]


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Put MathJax and the records into the built book."""
    if exception is not None or app.builder.format != "html":
        return
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the book needs sphinx-mathjax-offline: pip install -e '.[book]'")
    target = Path(app.outdir) / "_static" / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(package.origin).parent / "static" / MATHJAX, target)

    records = Path(app.srcdir) / "book" / "records"
    if records.is_dir():
        shutil.copytree(records, Path(app.outdir) / "records", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    # It numbers sections after all pages are read, in one process, and merely does not say so;
    # without the word Sphinx would read, and so run, one notebook after another.
    if "sphinx_multitoc_numbering" in app.extensions:
        app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.connect("config-inited", use_bundled_mathjax)
    app.connect("config-inited", drop_thebe)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
