"""Build the book, like `jupyter-book build --all -n -W --keep-going .`, but in less time.

Jupyter Book's command reads pages one after another, and runs each notebook as it reads it. Here

- several processes read and write pages, and kernels start warm (`warm_kernels.py`);
- a notebook runs again only if its code changed, or an input of notebooks: the package, the
  records, other files beside the pages, or installed packages;
- a page is read again only if its text changed; all pages are read if another input changed. All
  pages are written in any case, because a page may quote another;
- nothing is done if nothing changed.

The script prints the reason for everything it does. To build everything again: `rm -r _build`.

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
"""Folders in which Sphinx stores pages that it has read."""
PROJECT = Path(__file__).parents[1]
"""Folder of the default book, this project."""
PAGES_AT_ONCE = 2
"""Number of pages that a process reads at a time; Sphinx's 10 leave cores idle at the end."""


def build(source: Path) -> int:
    """Build the book in the folder `source`, into ``_build/html`` there.

    Returns
    -------
    int : 0, or 1 if a notebook failed, a reference is missing, or there is any other warning.
    """
    built = source / "_build"
    behind, around = book_inputs.behind(source), book_inputs.around(source)
    now = {"parts": {**behind, **around}, "pages": book_inputs.pages(source)}
    before = _load(built / "built.json")
    again = to_read(built, before, now)
    if again == [] and before["html"] == state(built, "html"):
        print(f"Nothing changed since the book was built. Open {_address(built)}")
        return 0
    (built / "built.json").unlink(missing_ok=True)  # until the build succeeds
    cache = built / ".jupyter_cache" / book_inputs.key(behind)
    print(f"Building the book in {built / 'html'}", flush=True)
    for line in [*of_notebooks(source, cache, behind), *of_pages(before, now, again)]:
        print(line, flush=True)
    clean(built, cache, again)
    cache.mkdir(parents=True, exist_ok=True)
    _write(cache / "behind.json", behind)
    # Drafts train during the build, and progress bars do not belong on pages. tqdm reads this
    # variable on import, which is before kernels start.
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
    """The pages that must be read again; None for all pages.

    All pages must be read if the last build failed, or if anything but the text of pages changed:
    the settings, the package, the records, or the list of pages.
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
    """Say which notebooks are run, and why."""
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
    """Say which pages are read again, and why."""
    if again is not None:
        return [f"Read again: {', '.join(again) or 'no page'}. All are written."]
    if not before:
        return ["Every page is read: no earlier build ended well."]
    listed = {"the table of pages": dict.fromkeys(before["pages"], "")}
    table = {"the table of pages": dict.fromkeys(now["pages"], "")}
    why = book_inputs.changes({**before["parts"], **listed}, {**now["parts"], **table})
    return ["Every page is read:", *(why or ["the stored pages were changed since"])]


def codes(source: Path) -> dict[str, str]:
    """For each page with code, the name under which its results are cached."""
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
    """The Markdown extensions of the book."""
    import yaml

    settings = yaml.safe_load((source / "_config.yml").read_text("utf-8"))
    return list(settings.get("parse", {}).get("myst_enable_extensions", []))


def clean(built: Path, cache: Path, again: list[str] | None) -> None:
    """Delete pages of earlier builds, and cached results that are out of date."""
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
    """Read the pages that are not stored, or all if `fresh`, and write all pages.

    Parameters
    ----------
    contents, built : the table of contents, and the build folder, if not the book's own.
    settings : settings of Sphinx in addition to the book's.
    """
    from jupyter_book.sphinx import build_sphinx
    from jupyter_cache import get_cache
    from jupyter_cache.executors import utils
    from nbclient import execute
    from sphinx import builders
    from sphinx.util.parallel import make_chunks

    get_cache(cache).list_cache_records()  # creates its tables before several processes do
    # By default, it waits four seconds for a cell's last output, and then drops the output.
    utils.executenb = functools.partial(execute, iopub_timeout=300, raise_on_iopub_timeout=True)
    builders.make_chunks = functools.partial(make_chunks, maxbatch=PAGES_AT_ONCE)
    gc.set_threshold(500_000, 20, 100)  # most objects, the nodes of pages, stay in memory
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
            # A failed notebook is then a warning, which is still fatal, but the other pages are
            # read too, and its traceback is shown.
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
    """The files that each page includes, and their digests."""
    environment = pickle.loads((built / ".doctrees" / "environment.pickle").read_bytes())
    by = {
        environment.doc2path(name, base=False): sorted(files)
        for name, files in environment.dependencies.items()
    }
    names = sorted({name for files in by.values() for name in files})
    return {"by": by, "files": book_inputs.digests(built.parent, names)}


def state(built: Path, *names: str) -> str:
    """A digest of the names, sizes and times of all files in these folders."""
    listed = []
    for name in names:
        for root, _, files in os.walk(built / name):
            for file in files:
                found = Path(root, file).stat()
                listed.append((root, file, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(repr(sorted(listed)).encode()).hexdigest()


def folder_of_a_book(given: str) -> Path:
    """The folder that an argument names; ValueError if it contains no book."""
    folder = Path(given).resolve()
    if not (folder / "_config.yml").is_file():
        raise ValueError(f"{folder} holds no book: there is no _config.yml in it")
    return folder


def _address(built: Path) -> str:
    return (built / "html" / "index.html").as_uri()


def _load(path: Path) -> Any:
    """The content of a JSON file; empty if it is missing or incomplete."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text("utf-8"))
    return {}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument("folder", nargs="?", default=PROJECT, help="folder with _config.yml")
    try:
        asked = folder_of_a_book(parser.parse_args().folder)
    except ValueError as error:
        parser.error(str(error))
    sys.exit(build(asked))
