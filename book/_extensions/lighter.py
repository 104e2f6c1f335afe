"""Sphinx extension: what the built pages are rid of, and how they say it to those who listen.

The theme is made for any book, and so brings icons by the thousand, and an index for a search in
every page. This runs over the finished pages and leaves what they use:

- of the theme's icons those that are shown, from a font that stands in the stylesheet, as a browser
  may refuse one in another folder to a page opened from disk;
- the index of the search where there is a search, and in it the numbers of tables, which are
  three words of four there and nothing that anyone looks for;
- styles of cards and grids, and of notebooks' cells, where there are some;
- the scripts of tables of results where there are some;
- data that a page offers to download in files of their own, instead of in the page;
- the style that every output of a notebook brings, but once;
- of a letter that several formulas show one outline;
- literals as text: Sphinx wraps each word of them, which doubles the reference and keeps long names
  from being broken on a phone.

In the contents, what folds the pages below another is named after that one.

A bibliography is no list in the sense of ARIA: its entries are no list items, and hold links.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

ICON = re.compile(r"(?:\.fa-[\w-]+:before,?)+\{content:\"\\[0-9a-f]+ ?\"\}")
FONT = re.compile(r"url\(\.\./vendor/fontawesome/webfonts/(fa-solid-900)\.woff2\).*?(?=\})")
DATA = re.compile(r'download="([^"]+)" href="data:[^",;]+[^",]*?(;base64)?,([^"]*)"')
NOTEBOOKS = re.compile(r"\s*<link\b[^>]*/mystnb\.\w+\.css[^>]*>")
FOLD = re.compile(
    r'(<a class="[^"]*reference internal"[^>]*>)((?:(?!</a>).)*)</a><details([^>]*)><summary>', re.S
)
"""A page in the contents that has others below it; the theme's fold has no name."""
STYLES = re.compile(r"<style>\n.*?</style>\n?", re.S)
"""The style that every output brings, for notebooks that are read elsewhere."""
INDEX = re.compile(r"Search\.setIndex\((.*)\)\s*", re.S)
WORD = re.compile(r"[^\W\d]+\d{0,3}|[^\W\d]\d[^\W\d]?")
"""A word of the search: letters, and at most a short number after them, such as cifar10 or c7f."""
UNUSED = ("locales", "webpack-macros.html", "sbt-webpack-macros.html", "scripts/fontawesome.js")
"""Parts of ``_static`` that no page loads, or need load."""


def tag(name: str) -> str:
    """Pattern of what loads a file of this name into a page."""
    return rf"\s*<(?:script|link)\b[^>]*[/\"]{re.escape(name)}[^>]*>(?:</script>)?"


def without_ballast(page: Path) -> str:
    """The text of a page without what it does not need."""
    text = page.read_text("utf-8")
    dropped = ["fontawesome.js"]
    if page.name != "search.html":
        dropped += ["searchtools.js", "language_data.js", "searchindex.js"]
    if not re.search(r'class="[^"]*\bsd-', text):
        dropped += ["sphinx-design.min.css", "design-tabs.js"]
    if 'class="data' not in text:  # no table of results
        dropped += ["cite.js", "own_run.js"]
    if 'class="cell' not in text:  # no cell of a notebook
        text = NOTEBOOKS.sub("", text)
    text = re.sub("|".join(map(tag, dropped)), "", text)
    text = STYLES.sub(_once(), text)
    text = FOLD.sub(_named, text)
    text = re.sub(r'<span class="pre">([^<]*)</span>', r"\1", text)
    text = text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    return text.replace(' role="doc-biblioentry"', "")


def _once() -> Callable[[re.Match[str]], str]:
    """Keep the first of those that are the same."""
    seen: set[str] = set()

    def first(found: re.Match[str]) -> str:
        again = found[0].strip() in seen
        seen.add(found[0].strip())
        return "" if again else found[0]

    return first


def _named(fold: re.Match[str]) -> str:
    title = " ".join(re.sub(r"<[^>]*>", "", fold[2]).split())
    return f'{fold[1]}{fold[2]}</a><details{fold[3]}><summary aria-label="Below: {title}">'


def with_one_outline_each(text: str) -> str:
    """The text of a page, in which a letter of formulas is drawn once and shown by its name."""
    before, mark, article = text.partition("<article")
    drawn: set[str] = set()

    def first(found: re.Match[str]) -> str:
        again = found[1] in drawn
        drawn.add(found[1])
        return "" if again else found[0]

    article = re.sub(r"\bMJX-\d+-", "MJX-", article)
    return before + mark + re.sub(r'<path id="(MJX-[\w-]+)" d="[^"]*"></path>', first, article)


def apart(text: str, page: Path) -> str:
    """The text of a page, its downloads in files beside it."""
    folder = page.parent / "downloads" / page.stem

    def put(found: re.Match[str]) -> str:
        name, coded, body = found.groups()
        data = base64.b64decode(body) if coded else unquote_to_bytes(body)
        path = folder / name
        if path.is_file() and path.read_bytes() != data:
            return found[0]
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f'download="{name}" href="downloads/{page.stem}/{name}"'

    return DATA.sub(put, text)


def icons(static: Path, shown: set[str]) -> None:
    """Leave of the theme's icons those that are shown."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    text = ICON.sub(
        lambda rule: rule[0] if shown & set(re.findall(r"fa-[\w-]+", rule[0])) else "",
        sheet.read_text("utf-8"),
    )
    sheets = [text, *(path.read_text("utf-8") for path in static.rglob("*.css") if path != sheet)]
    points = {int(point, 16) for one in sheets for point in re.findall(r"\\(f[0-9a-f]{3})\b", one)}
    points |= {ord(letter) for one in sheets for letter in one if "\uf000" <= letter <= "\uf8ff"}
    path = static / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.ttf"
    font = TTFont(path, recalcTimestamp=False)  # or no two builds are the same
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    cutter = subset.Subsetter()
    cutter.populate(unicodes=points)
    cutter.subset(font)
    font.flavor = "woff"
    written = io.BytesIO()
    font.save(written)
    url = f"url(data:font/woff;base64,{base64.b64encode(written.getvalue()).decode()})"
    sheet.write_text(FONT.sub(f'{url} format("woff")', text), "utf-8")


def without_numbers(index: str) -> str:
    """The script of the search index without words that are numbers or run-together cells."""
    found = INDEX.fullmatch(index)
    if found is None:
        return index
    content = json.loads(found[1])
    content["terms"] = {
        word: pages for word, pages in content["terms"].items() if WORD.fullmatch(word)
    }
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"Search.setIndex({written})"


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Go over the finished pages."""
    if exception is not None or app.builder.format != "html":
        return
    root = Path(app.outdir)
    static = root / "_static"
    shown: set[str] = set()
    for page in root.rglob("*.html"):
        if static not in page.parents:
            text = apart(with_one_outline_each(without_ballast(page)), page)
            shown |= set(re.findall(r"\bfa-[\w-]+", text))
            page.write_text(text, "utf-8")
    searched = root / "searchindex.js"
    if searched.is_file():
        searched.write_text(without_numbers(searched.read_text("utf-8")), "utf-8")
    for part in UNUSED:
        path = static / part
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in static.rglob("*.map"):
        path.unlink()
    for path in (static / "scripts").glob("*.js"):
        shown |= set(re.findall(r"\bfa-[\w-]+", path.read_text("utf-8")))
    icons(static, shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", lighten, priority=900)  # after all that write pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}
