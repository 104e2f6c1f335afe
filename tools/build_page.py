"""Build one page of the book, to look at it while writing.

Only this page is read and only its notebook is run, so it takes seconds after a change of the
package. Its links to other pages and its citations do not work and are not checked; `make book`
checks them.

    python tools/build_page.py v05           # or use_it, or the full name of a page
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import book_inputs
import build_book
import warm_kernels

from spatialnb.registry import unknown

ELSEWHERE = ["ref", "toc", "myst.xref_missing", "mystnb.glue_ref", "bibtex.key_not_found"]
"""Types of warnings that occur only because the other pages are not read."""


def find(source: Path, name: str) -> str:
    """The page with this name: ``v05``, ``use_it``, or ``book/use_it.md``.

    Raises
    ------
    ValueError : no such page; the message lists all pages.
    """
    stems = {Path(page).stem: page for page in sorted(book_inputs.pages(source))}
    stem = Path(name).stem
    if stem in stems:
        return stems[stem]
    found = [page for one, page in stems.items() if one.partition("_")[0] == stem]
    if len(found) == 1:
        return found[0]
    short = [one.partition("_")[0] for one in stems]
    shown = {
        first if short.count(first) == 1 and any(map(str.isdigit, first)) else one: None
        for one, first in zip(stems, short, strict=True)
    }
    raise ValueError(unknown("page", name, shown) if name else f"name one of {', '.join(shown)}")


def build(source: Path, page: str) -> int:
    """Build a page into ``_build/page/html``.

    Returns
    -------
    int : 0, or 1 if its notebook failed, or a warning concerns this page alone.
    """
    built = source / "_build" / "page"
    cache = built / ".jupyter_cache" / book_inputs.key(book_inputs.behind(source))
    for path in [built / "html", built / ".doctrees", *cache.parent.glob("*")]:
        if path != cache and path.is_dir():
            shutil.rmtree(path)
    cache.mkdir(parents=True, exist_ok=True)
    contents = built / "_toc.yml"
    name = str(Path(page).with_suffix(""))
    contents.write_text(f"format: jb-book\nroot: {name}\n", "utf-8")
    os.environ["TQDM_DISABLE"] = "1"  # see build_book
    print(f"Building {page} alone", flush=True)
    with warm_kernels.offered(built / "kernels"):
        settings = {"nitpicky": False, "suppress_warnings": ELSEWHERE}
        result = build_book.run_sphinx(source, cache, True, contents, built, **settings)
    if result != 0:
        print(f"{page} is not in order: see the warnings and errors above.", file=sys.stderr)
        return 1
    address = (built / "html" / name).with_suffix(".html").as_uri()
    print(f"Open {address}")
    print("Links to other pages and citations are not checked here: make book does that.")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build one page of the book into _build/page.")
    parser.add_argument("page", help="name of a page, such as v05, c2b or use_it")
    parser.add_argument("folder", nargs="?", default=build_book.PROJECT, help="folder of the book")
    given = parser.parse_args()
    try:
        folder = build_book.folder_of_a_book(given.folder)
        chosen = find(folder, given.page)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(build(folder, chosen))
