"""Build the book: what `jupyter-book build --all -n -W --keep-going .` builds, in less time.

Jupyter Book's command reads one page after another, and to read a page is to run its notebook. Here

- pages are read and written by several processes, and kernels start warm (`warm_kernels.py`);
- a notebook runs again where its code changed, or anything that it may be made from: the package,
  the records, what else stands beside the pages, the packages installed;
- a page is read again where its text changed, and all are where anything else did. All pages are
  written all the same, as each may quote another;
- nothing is done where nothing changed.

Why something is done is said. To do all anew: `rm -r _build`.

    python tools/build_book.py [FOLDER]    # with _config.yml and _toc.yml; default: this project
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import hashlib
import json
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import book_inputs
import warm_kernels

from spatialnb.execution.cores import cores

READ = (".doctrees", "jupyter_execute")
"""What Sphinx keeps of pages that were read."""
PROJECT = Path(__file__).parents[1]
"""The book that is built where none is named."""
PAGES_AT_ONCE = 2
"""A process reads so many pages before it hands over; Sphinx's 10 leave cores idle at the end."""


def build(source: Path) -> int:
    """Build the book of folder `source` into its ``_build/html``.

    Returns
    -------
    int : 0, or 1 where a notebook failed, a reference is missing, or there is any other warning.
    """
    built = source / "_build"
    behind, around = book_inputs.behind(source), book_inputs.around(source)
    now = {"parts": {**behind, **around}, "pages": book_inputs.pages(source)}
    before = _load(built / "built.json")
    again = to_read(built, before, now)
    if again == [] and before["html"] == state(built, "html"):
        print(f"Nothing changed since the book was built. Open {_address(built)}")
        return 0
    (built / "built.json").unlink(missing_ok=True)  # until all went well
    cache = built / ".jupyter_cache" / book_inputs.key(behind)
    print(f"Building the book in {built / 'html'}", flush=True)
    for line in [*of_notebooks(source, cache, behind), *of_pages(before, now, again)]:
        print(line, flush=True)
    clean(built, cache, again)
    cache.mkdir(parents=True, exist_ok=True)
    _write(cache / "behind.json", behind)
    # A draft trains while it is built, and a bar is no result. tqdm reads this as it is imported,
    # which is before there are kernels.
    os.environ["TQDM_DISABLE"] = "1"
    with warm_kernels.offered(built / "kernels"):
        result = run_sphinx(source, cache, fresh=again is None)
    _write(cache / "pages.json", codes(source))
    if result != 0:
        print("The book is not in order: see the warnings and errors above.", file=sys.stderr)
        return 1
    left = {"html": state(built, "html"), "read": state(built, *READ), "taken": taken(built)}
    _write(built / "built.json", {**now, **left})
    print(f"The book is built. Open {_address(built)}")
    return 0


def to_read(built: Path, before: dict[str, Any], now: dict[str, Any]) -> list[str] | None:
    """The pages that must be read again; None where all must.

    All must where the last build did not end well, or where anything changed but the text of pages:
    the settings, the package, the records, which pages there are.
    """
    if not before or before["parts"] != now["parts"]:
        return None
    if before["pages"].keys() != now["pages"].keys() or before["read"] != state(built, *READ):
        return None
    files = before["taken"]["files"]
    there = book_inputs.digests(built.parent, files)
    old, new = {**before["pages"], **files}, {**now["pages"], **there}
    changed = {name for name, value in old.items() if new.get(name) != value}
    users = before["taken"]["by"]
    return [name for name in now["pages"] if changed & {name, *users.get(name, ())}]


def of_notebooks(source: Path, cache: Path, behind: dict[str, book_inputs.Part]) -> list[str]:
    """Which notebooks are run, and why."""
    other = next(cache.parent.glob("*/behind.json"), None)
    if other is None:
        return ["Every notebook is run: no results are kept."]
    if other.parent != cache:
        return ["Every notebook is run:", *book_inputs.changes(_load(other), behind)]
    known = _load(cache / "pages.json")
    said = []
    for name, code in codes(source).items():
        if not (cache / "executed" / code).is_dir():
            old = known.get(name)
            why = "it is new" if old is None else "its code changed"
            said.append(f"{name} is run: {'it failed' if old == code else why}.")
    return said or ["No notebook is run."]


def of_pages(before: dict[str, Any], now: dict[str, Any], again: list[str] | None) -> list[str]:
    """Which pages are read again, and why."""
    if again is not None:
        return [f"Read again: {', '.join(again) or 'no page'}. All are written."]
    if not before:
        return ["Every page is read: no earlier build ended well."]
    listed = {"the table of pages": dict.fromkeys(before["pages"], "")}
    table = {"the table of pages": dict.fromkeys(now["pages"], "")}
    why = book_inputs.changes({**before["parts"], **listed}, {**now["parts"], **table})
    return ["Every page is read:", *(why or ["what was kept of the pages is not as it was left"])]


def codes(source: Path) -> dict[str, str]:
    """Of each page with code the name under which its results are kept."""
    from jupyter_cache import get_cache
    from myst_nb.core.config import NbParserConfig
    from myst_nb.core.read import create_nb_reader
    from myst_parser.config.main import MdParserConfig

    markdown = MdParserConfig(enable_extensions=_extensions(source))
    cache, found = get_cache(source / "_build" / ".jupyter_cache"), {}
    for name in book_inputs.pages(source):
        text = (source / name).read_text("utf-8")
        reader = create_nb_reader(name, markdown, NbParserConfig(), text)
        if reader is not None:
            found[name] = cache.create_hashed_notebook(reader.read(text))[1]
    return found


def _extensions(source: Path) -> list[str]:
    """How Markdown is extended in the book."""
    import yaml

    settings = yaml.safe_load((source / "_config.yml").read_text("utf-8"))
    return list(settings.get("parse", {}).get("myst_enable_extensions", []))


def clean(built: Path, cache: Path, again: list[str] | None) -> None:
    """Leave no page of an earlier build, and no results but those that still hold."""
    kept = {cache.parent, cache, *(built / name for name in READ if again is not None)}
    for path in [*built.glob("*"), *cache.parent.glob("*")]:
        if path.is_dir() and path not in kept:
            shutil.rmtree(path)
    for name in again or ():
        (built / ".doctrees" / name).with_suffix(".doctree").unlink(missing_ok=True)


def run_sphinx(
    source: Path,
    cache: Path,
    fresh: bool,
    contents: Path | None = None,
    built: Path | None = None,
    **settings: Any,
) -> int:
    """Read pages, all or those that are not kept as they were read, and write all.

    Parameters
    ----------
    contents, built : the table of contents and the folder for the pages, if not the book's own.
    settings : of Sphinx, besides the book's.
    """
    from jupyter_book.sphinx import build_sphinx
    from jupyter_cache import get_cache
    from jupyter_cache.executors import utils
    from nbclient import execute
    from sphinx import builders
    from sphinx.util.parallel import make_chunks

    get_cache(cache).list_cache_records()  # makes its tables, before several processes would
    # Of a cell that has ended it waits four seconds for an output, and leaves out what comes later.
    utils.executenb = functools.partial(execute, iopub_timeout=300, raise_on_iopub_timeout=True)
    builders.make_chunks = functools.partial(make_chunks, maxbatch=PAGES_AT_ONCE)
    gc.set_threshold(500_000, 20, 100)  # most of what is made stays: pages, as trees of nodes
    return build_sphinx(
        source,
        (built or source / "_build") / "html",
        path_config=source / "_config.yml",
        noconfig=True,
        confoverrides={
            "external_toc_path": str(contents or source / "_toc.yml"),
            "latex_individualpages": False,
            "nb_execution_mode": "cache",
            "nb_execution_cache_path": str(cache),
            # A failed notebook is then a warning, so still fatal, but the other pages are read too,
            # and its traceback is shown.
            "nb_execution_raise_on_error": False,
            "nb_execution_show_tb": True,
            **settings,
        },
        force_all=True,
        freshenv=fresh,
        quiet=True,
        warningiserror=True,
        keep_going=True,
        jobs=cores(),
    )


def taken(built: Path) -> dict[str, Any]:
    """The files that each page takes in besides its own, and their contents."""
    environment = pickle.loads((built / ".doctrees" / "environment.pickle").read_bytes())
    by = {
        environment.doc2path(name, base=False): sorted(files)
        for name, files in environment.dependencies.items()
    }
    names = sorted({name for files in by.values() for name in files})
    return {"by": by, "files": book_inputs.digests(built.parent, names)}


def state(built: Path, *names: str) -> str:
    """A name for the files in these folders, by name, size and time."""
    listed = []
    for name in names:
        for root, _, files in os.walk(built / name):
            for file in files:
                found = Path(root, file).stat()
                listed.append((root, file, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(repr(sorted(listed)).encode()).hexdigest()


def folder_of_a_book(given: str) -> Path:
    """The folder that an argument names. ValueError where it holds no book."""
    folder = Path(given).resolve()
    if not (folder / "_config.yml").is_file():
        raise ValueError(f"{folder} holds no book: there is no _config.yml in it")
    return folder


def _address(built: Path) -> str:
    return (built / "html" / "index.html").as_uri()


def _load(path: Path) -> Any:
    """What a file of ours holds; nothing where it is not there, or not whole."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text("utf-8"))
    return {}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument("folder", nargs="?", default=PROJECT, help="with _config.yml and _toc.yml")
    try:
        asked = folder_of_a_book(parser.parse_args().folder)
    except ValueError as error:
        parser.error(str(error))
    sys.exit(build(asked))
