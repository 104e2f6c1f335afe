"""Kinds of faults that readers met on pages, each as a function from a page to what is wrong.

`tests/test_page_faults.py` shows that each finds its fault, and holds the sources of the pages to
them; `tests/test_browser.py` holds the built book.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

SITE = "Spatial weight priors"
NAMES = ("Lu Lu",)
"""Doubled words that are names."""

DOUBLED = re.compile(r"\b([^\W\d_]{2,}) \1\b", re.IGNORECASE)
LAYOUT = re.compile(
    r"\bon the (?:left|right)\b"
    r"|\b(?:left|right|upper|lower|top|bottom)(?:most|-hand)? (?:panel|plot|picture|figure)s?\b"
    r"|(?:^|[.!?:] )(?:Above|Below)[,:]"
)
"""Where a figure has what: it may stand elsewhere on a phone, or once the figure is redrawn."""

NUMBER = r"\d[\d.]*(?: \[[^\]]*\])?(?: (?:points|epochs|nats|%))?"
LESS = r"below|behind|less|lower|fewer|worse|earlier|smaller"
MORE = r"above|ahead|more|higher|better|later|over"
FALLS = r"falls?|fell|drops?|loses?|lost|costs?|shrinks"
RISES = r"gains?|adds?|rises?|rose|beats?"
BOUND = r"(?<!\bD )(?<!\blies )(?<!\bwholly )"
SIGNS = re.compile(
    rf"\+{NUMBER} (?:{LESS})\b|−{NUMBER} (?:{MORE})\b"
    rf"|{BOUND}\b(?:{FALLS}|{LESS})(?: (?!to\b|and\b)[\w,]+){{0,2}} [+−]\d"
    rf"|{BOUND}\b(?:{RISES}|{MORE})(?: (?!to\b|and\b)[\w,]+){{0,2}} −\d"
)
"""A sign that says again, or the other way round, what a word beside it says. Where a number is a
bound, as in "D lies above −0.5 points", it does not."""

BLOCKS = ("p", "li", "td", "th", "dd", "dt", "h1", "h2", "h3", "figcaption", "caption")
NOT_PROSE = "script, style, pre, svg, mjx-container, nav, .bd-sidebar, .citation"


def doubled_words(text: str) -> list[str]:
    """Words that stand twice in a row."""
    return [found[0] for found in DOUBLED.finditer(text) if found[0] not in NAMES]


def layout_words(text: str) -> list[str]:
    """Words that say where in a figure something is."""
    return [found[0] for found in LAYOUT.finditer(text)]


def contradicted_signs(text: str) -> list[str]:
    """Signed numbers beside a word that says their direction."""
    return [found[0] for found in SIGNS.finditer(text)]


PROSE: dict[str, Callable[[str], list[str]]] = {
    "doubled words": doubled_words,
    "layout words": layout_words,
    "signs": contradicted_signs,
}


def blocks(page: BeautifulSoup) -> list[str]:
    """The texts of a built page, one a paragraph, cell, item, title or caption."""
    page = BeautifulSoup(str(page.select_one("article") or page), "html.parser")
    for part in page.select(NOT_PROSE):
        part.decompose()
    for part in page.select("code, cite"):
        part.string = "…"
    for part in page.select(".below"):
        part.insert_before(" · ")  # a line of its own
    found = [block for block in page.find_all(BLOCKS) if not block.find(["p", "li", "td", "th"])]
    return [" ".join(block.get_text().split()) for block in found]


def wrong_prose(page: BeautifulSoup) -> list[str]:
    """What is wrong with the texts of a built page."""
    return [
        f"{kind}: {fault} in {text[:200]}"
        for text in blocks(page)
        for kind, check in PROSE.items()
        for fault in check(text)
    ]


def wrong_metadata(page: BeautifulSoup, file: Path, root: Path, shared: bool = True) -> list[str]:
    """What is wrong with the head of a built page.

    Parameters
    ----------
    file, root : where the page is, and the folder of the book.
    shared : whether the page says what a link to it looks like.
    """
    wrong = []
    title = page.title.get_text().strip() if page.title else ""
    if SITE not in title:
        wrong.append(f"title {title!r}")
    icon = page.select_one("link[rel=icon]")
    if icon is None or not any((at / str(icon["href"])).is_file() for at in (file.parent, root)):
        wrong.append(f"icon {icon}")
    if not shared:
        return wrong
    said = {
        str(one.get("property") or one.get("name")): str(one.get("content")).strip()
        for one in page.select("meta[property], meta[name]")
    }
    if said.get("og:site_name") != SITE:
        wrong.append(f"og:site_name {said.get('og:site_name')!r}")
    wrong += [f"no {name}" for name in ("og:title", "description") if not said.get(name)]
    image = said.get("og:image")
    if image is not None and not urlsplit(image).netloc:
        wrong.append(f"og:image {image!r} is relative")
    if said.get("twitter:card") != ("summary" if image is None else "summary_large_image"):
        wrong.append(f"twitter:card {said.get('twitter:card')!r}")
    return wrong


def wrong_tables(page: BeautifulSoup) -> list[str]:
    """What is wrong with the tables of numbers of a built page."""
    wrong = [f"a raw table: {one.get_text()[:80]}" for one in page.select("table.dataframe")]
    for table in page.select("table.data"):
        caption = table.caption.get_text() if table.caption else "?"
        box = table.find_parent(class_="spatialnb")
        if not any(re.match(r"[+−]?\d", cell.get_text()) for cell in table.select("td")):
            continue  # of words alone
        if box is None or not box.select("a[download$='.csv']"):
            wrong.append(f"no CSV: {caption}")
        if "asc" not in (table.get("class") or []):
            wrong.append(f"sorted down first: {caption}")
        if table.select_one("thead > tr > :first-child").get_text() == "arm":
            wrong += [f"{fault}: {caption}" for fault in _wrong_rows(table)]
    return wrong


def _wrong_rows(table: Tag) -> list[str]:
    if "behind" in (table.get("class") or []):
        return []
    heads = [one.get_text() for one in table.select("thead tr > *")]
    if "n" not in heads:
        return []
    rows = [
        [cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")
    ]
    wrong = [
        f"n = 0 at {row[0]}" for row in rows if row[heads.index("n")] == "0" and "failed" not in row
    ]
    curves = [i for i, head in enumerate(heads) if head not in ("arm", "by epoch")]
    seen: dict[tuple[str, ...], str] = {}
    for row in rows:
        other = seen.setdefault(tuple(row[place] for place in curves), row[0])
        if other != row[0]:
            wrong.append(f"{row[0]} has the row of {other}")
    return wrong


def epochs_from_one(page: BeautifulSoup) -> list[str]:
    """Epochs with a number that no epoch has where they are counted from 0."""
    texts = [*blocks(page), *(str(one["aria-label"]) for one in page.select("svg[aria-label]"))]
    lengths = [int(one) for text in texts for one in re.findall(r"\b(\d+) epochs\b", text)]
    if not lengths:
        return []
    named = (found for text in texts for found in re.finditer(r"\bepoch (\d+)\b(?!\.\d)", text))
    return [found[0] for found in named if int(found[1]) >= max(lengths)]
