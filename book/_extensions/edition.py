"""Sphinx extension: what a page says of the whole: version, date of the records, a shared link.

The licence and the file that says how to cite stand beside the pages, so that they can be read
there. A picture for shared links needs the book's address, which `BOOK_URL` gives, such as
`https://example.org/book`; without it there is none, as a relative one is of no use there.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

FILES = {"LICENSE": "LICENSE.txt", "CITATION.cff": "CITATION.cff"}
"""Files of the project's root, and what they are called beside the pages."""


DESCRIPTION = (
    "Does it help a neural network to know where its neurons are? Eleven experiments run again, "
    "with every claim tested."
)
CARD_WORDS = "Test accuracy on CIFAR-10 by kernel, with 95 % intervals"


def address() -> str:
    """The book's address, without a slash at its end; empty where it has none.

    Raises
    ------
    ConfigError : `BOOK_URL` is no absolute address.
    """
    given = os.environ.get("BOOK_URL", "").rstrip("/")
    parts = urlsplit(given)
    if given and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ConfigError(
            f"BOOK_URL is {given!r}: expected an absolute address, such as "
            "https://example.org/book, or nothing"
        )
    return given


def citation(path: Path) -> dict[str, str]:
    """Title, author and year of the book as ``CITATION.cff`` has them; empty without the file."""
    whole = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    cited = whole.get("preferred-citation", {})
    return {
        "title": str(cited.get("title", "")),
        "author": " and ".join(author["name"] for author in cited.get("authors", [])),
        "year": str(cited.get("year", "")),
    }


def describe(app: Sphinx, config: Config) -> None:
    """Hand version, number of records and day of the newest one to the templates."""
    folder = Path(app.srcdir) / "book" / "records"
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("*/*.json")]
    days = [record.get("provenance", {}).get("finished", "")[:10] for record in found]
    config.html_context["edition"] = {
        "description": DESCRIPTION,
        "address": address(),
        "card_words": CARD_WORDS,
        "version": version("spatialnb"),
        "records": len(found),
        "citation": citation(Path(app.srcdir) / "CITATION.cff"),
        "newest": max(days, default="no day"),
    }


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Put licence and citation into the built book."""
    if exception is None and app.builder.format == "html":
        for name, there in FILES.items():
            path = Path(app.srcdir) / name
            if path.is_file():
                shutil.copyfile(path, Path(app.outdir) / there)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", describe)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
