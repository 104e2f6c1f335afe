"""What a book is made from, by name and content, and what of it changed, in words.

Names are relative to the folders they stand in, so that a copy of the project has the same inputs.
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
"""Files beside the pages that no notebook reads; nor does it the folders that begin with `_`."""
TOOLS = ("build_book.py", "book_inputs.py", "warm_kernels.py")
"""What the book is built with."""
PLACES = ("SPATIALNB_STORE", "SPATIALNB_DATA", "SPATIALNB_CACHE")
"""Variables that say where something is. What is there counts, not where."""
NAMED = 3
"""So many names of what changed are said."""

Part = dict[str, str]
"""Contents by name, each as the hexadecimal digits of its SHA-256."""


def behind(source: Path) -> dict[str, Part]:
    """What any notebook may be made from, besides its own code."""
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
    """What any page is made from besides its own text and what notebooks are made from."""
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
    """The sources of the pages."""
    book = source / "book"
    return digests(source, (f"book/{name}" for name in _files(book, besides=True) if is_page(name)))


def is_page(name: str) -> bool:
    """Whether a file beside the pages is one."""
    return Path(name).suffix in (".ipynb", ".md")


def key(parts: Mapping[str, Part]) -> str:
    """A name for these parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def digests(root: Path, names: Iterable[str]) -> Part:
    """The contents of files by their names in a folder; without those that are not there."""
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
    return found


def _files(folder: Path, besides: bool = False) -> list[str]:
    """Names of the files in a folder, but what Python keeps.

    Parameters
    ----------
    besides : leave out folders of records, and those whose name begins with ``_``.
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
    """What differs, a phrase a part: ``the package changed: report/tables.py``."""
    said = []
    for name, part in now.items():
        old = before.get(name, {})
        differing = sorted(one for one in old.keys() | part.keys() if old.get(one) != part.get(one))
        if differing:
            said.append(f"{name} changed: {_listed(differing, old, part)}")
    return said


def _listed(names: list[str], old: Part, new: Part) -> str:
    """Names of files or packages; how many are new, gone and changed, where they are many."""
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
