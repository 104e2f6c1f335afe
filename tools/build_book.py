"""Build the book: what `jupyter-book build --all -n -W --keep-going .` builds, pages in parallel.

Jupyter Book's command reads one page after another, and to read a page is to run its notebook. The
function behind the command takes a number of processes.

    python tools/build_book.py [FOLDER]    # with _config.yml and _toc.yml; default: this project

A notebook runs again where its code changed, or anything that it may be made from: the package, the
records, what else stands beside the pages, the packages installed. To run all: `rm -r _build`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache

import spatialnb
from spatialnb.records.store import default_store

PAGES = {".ipynb", ".md"}


def build(source: Path) -> int:
    """Build the book of folder `source` into its ``_build/html``.

    Returns
    -------
    int : 0, or 1 where a notebook failed, a reference is missing, or there is any other warning.
    """
    html = source / "_build" / "html"
    os.environ["TQDM_DISABLE"] = "1"  # a draft trains while it is built, and a bar is no result
    cache = source / "_build" / ".jupyter_cache" / behind(source)
    kept = "every notebook whose code changed" if cache.is_dir() else "every notebook"
    clean(source / "_build", cache)
    get_cache(cache).list_cache_records()  # makes its tables, before several processes would
    print(f"Building the book in {html}: {kept} is run.", flush=True)
    result = build_sphinx(
        source,
        html,
        path_config=source / "_config.yml",
        noconfig=True,
        confoverrides={
            "external_toc_path": str(source / "_toc.yml"),
            "latex_individualpages": False,
            "nb_execution_mode": "cache",
            "nb_execution_cache_path": str(cache),
            # A failed notebook is then a warning, so still fatal, but the other pages are read too,
            # and its traceback is shown.
            "nb_execution_raise_on_error": False,
            "nb_execution_show_tb": True,
        },
        quiet=True,
        warningiserror=True,
        keep_going=True,
        jobs=os.cpu_count(),
    )
    if result != 0:
        print("The book is not in order: see the warnings and errors above.", file=sys.stderr)
        return 1
    print(f"The book is built. Open {(html / 'index.html').as_uri()}")
    return 0


def behind(source: Path) -> str:
    """A name for all that a notebook may be made from, besides its own code."""
    folders = [Path(spatialnb.__file__).parent, source / "book", *default_store().folders]
    named = [f"{part.name} {part.version}" for part in distributions()]
    named += [f"{name} {value}" for name, value in os.environ.items() if "SPATIALNB" in name]
    value = hashlib.sha256("\n".join([sys.version, *sorted(named)]).encode())
    for path in (path for folder in folders for path in _files(folder)):
        value.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return value.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    """What notebooks may read of a folder, but the pages themselves."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in PAGES and "__pycache__" not in path.parts:
            yield path


def clean(built: Path, cache: Path) -> None:
    """Leave no page of an earlier build, and no results but those that still hold."""
    for path in [*built.glob("*"), *cache.parent.glob("*")]:
        if path not in (cache.parent, cache):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    sys.exit(build(folder.resolve()))
