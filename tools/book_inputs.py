"""The inputs of the book, with digests of their content, and changes between builds in words.

File names are relative to the inputs' folders, so that a copy of the project has the same inputs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

import spatialnb
from spatialnb.records.store import default_store

ASIDE = ("conftest.py", "references.bib")
"""Files beside the pages that no notebook reads, besides folders whose names begin with `_`."""
TOOLS = ("build_book.py", "book_inputs.py", "warm_kernels.py")
"""The scripts that build the book."""
PLACES = ("SPATIALNB_STORE", "SPATIALNB_DATA", "SPATIALNB_CACHE")
"""Environment variables that name folders; the folders' content is an input, not their paths."""
NAMED = 3
"""Up to this many changed files are named; more are counted."""

Part = dict[str, str]
"""SHA-256 digests of contents, by name."""


def behind(source: Path) -> dict[str, Part]:
    """Inputs of all notebooks, besides their own code."""
    package, book = Path(spatialnb.__file__).parent, source / "book"
    stores = dict(zip(("working store", "published"), default_store().folders, strict=False))
    if book / "records" not in stores.values():
        stores["beside the pages"] = book / "records"
    records: Part = {}
    for name, folder in stores.items():
        found = digests(folder, _files(folder))
        records |= {f"{file} ({name})": value for file, value in found.items()}
    beside = (
        name for name in _files(book, besides=True) if not is_page(name) and name not in ASIDE
    )
    variables = {name: value for name, value in os.environ.items() if "SPATIALNB" in name}
    return {
        "the package": digests(package, _files(package)),
        "the records": records,
        "what stands beside the pages": digests(book, beside),
        "the packages installed": {
            **{f"{part.name} {part.version}": "" for part in distributions()},
            f"Python {sys.version}": "",
        },
        "the environment": {
            f"{name}={value}": "" for name, value in variables.items() if name not in PLACES
        },
    }


def around(source: Path) -> dict[str, Part]:
    """Inputs of all pages, besides their own text and the inputs of notebooks."""
    settings = ["_config.yml", "_toc.yml", "LICENSE", "CITATION.cff", "book/references.bib"]
    for folder in sorted((source / "book").glob("_*")):
        settings += [f"book/{folder.name}/{name}" for name in _files(folder)]
    here = Path(__file__).parent
    return {
        "the book's settings": digests(source, settings),
        "the book's tools": digests(here, TOOLS),
        "the book's address": {os.environ.get("BOOK_URL", "none"): ""},
        "the book's folder": {str(source): ""},
    }


def pages(source: Path) -> Part:
    """The sources of the pages, with their digests."""
    book = source / "book"
    return digests(source, (f"book/{name}" for name in _files(book, besides=True) if is_page(name)))


def is_page(name: str) -> bool:
    """Whether a file is the source of a page."""
    return Path(name).suffix in (".ipynb", ".md")


def key(parts: Mapping[str, Part]) -> str:
    """A key that identifies these inputs."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def digests(root: Path, names: Iterable[str]) -> Part:
    """Digests of files in a folder, by name; missing files are left out."""
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
    return found


def _files(folder: Path, besides: bool = False) -> list[str]:
    """Names of all files in a folder, without Python's caches.

    Parameters
    ----------
    besides : leave out the top-level folder of records, and those whose names begin with ``_``.
    """
    found = []
    for path, folders, names in os.walk(folder):
        inside = Path(path).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__"
            and not (besides and not inside.parts and (name == "records" or name[0] == "_"))
        ]
        found += [(inside / name).as_posix() for name in names]
    return sorted(found)


def changes(before: Mapping[str, Part], now: Mapping[str, Part]) -> list[str]:
    """Describe changed inputs, one phrase each: ``the package changed: report/tables.py``."""
    said = []
    for name, part in now.items():
        old = before.get(name, {})
        differing = sorted(one for one in old.keys() | part.keys() if old.get(one) != part.get(one))
        if differing:
            said.append(f"{name} changed: {_listed(differing, old, part)}")
    return said


def _listed(names: list[str], old: Part, new: Part) -> str:
    """Names of files or packages; if there are many, how many are new, gone and changed."""
    if len(names) <= NAMED:
        marks = {(False, True): " (new)", (True, False): " (gone)", (True, True): ""}
        return ", ".join(f"{name}{marks[name in old, name in new]}" for name in names)
    counts = {
        "new": sum(name not in old for name in names),
        "gone": sum(name not in new for name in names),
        "changed": sum(name in old and name in new for name in names),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{said}, {names[0]} among them"
