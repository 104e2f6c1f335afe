"""Print the built book as one PDF with Chromium: cover, contents, every page in the book's order.

python tools/make_pdf.py    # after `make book`; writes _build/pdf/spatial-weight-priors.pdf
"""

from __future__ import annotations

import re
import shutil
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

LEFT_OUT = (
    ".headerlink, script, form, noscript, details.hide, .prev-next-area, "
    "details:has(a[download]), p:has(> a[download])"
)
"""Elements that are useful only on a screen."""

STYLE = """
@page { size: A4; margin: 18mm 18mm 20mm; }
:root { color-scheme: light; --pst-color-border: #bbb; --pst-color-text-muted: #444; }
body { font: 10pt/1.5 "DejaVu Serif", Georgia, serif; color: #000; margin: 0; }
h1, h2, h3, nav, table, figcaption, .glance { font-family: "DejaVu Sans", Arial, sans-serif; }
h1 { font-size: 20pt; line-height: 1.25; } h2 { font-size: 14pt; } h3 { font-size: 11pt; }
h1, h2, h3, caption { break-after: avoid; }
a { color: #0a4d8c; text-decoration: none; }
article, nav { break-before: page; }
.cover { padding-top: 25%; } .cover h1 { font-size: 30pt; } .cover h2 { margin-top: 3em; }
nav h2 { font-size: 11pt; margin: 1.2em 0 .3em; } nav ul { list-style: none; padding: 0; }
nav li { margin: .2em 0; } nav .level-1 { margin-left: 1.5em; }
pre, code { font-size: 8pt; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { border-left: 2pt solid #ccc; padding-left: 6pt; }
table, .spatialnb table.data { font-size: 7.5pt; border-collapse: collapse; width: 100%; }
.spatialnb table.data :is(th, td) { padding: 2pt 4pt; position: static; background: none; }
.spatialnb table.data tbody th { min-width: 0; }
.spatialnb table.data thead th { white-space: normal; }
table:not(.data) :is(th, td) {
  border-top: .5pt solid #bbb; padding: 3pt; text-align: left; vertical-align: top;
}
.spatialnb .wide { overflow: visible; }
.spatialnb :is(p, li, figcaption) { font-size: 8pt; }
thead { break-after: avoid; } tr, figure, svg, .glance, .admonition { break-inside: avoid; }
figure svg { max-width: 130mm; }
dl dt { font-weight: bold; } dl dd { margin-left: 1.2em; }
mjx-container[display="true"] { display: block; text-align: center; }
mjx-assistive-mml { display: none; }
.admonition { border: 1pt solid #888; padding: 0 8pt; } .admonition-title { font-weight: bold; }
"""

FOOT = """<div style="width: 100%; font: 8px sans-serif; padding: 0 18mm; text-align: right;">
<span class="pageNumber"></span> / <span class="totalPages"></span></div>"""


class Entry(NamedTuple):
    """A page in the contents: its part (only for the part's first page), its level and its file."""

    part: str
    level: int
    file: str


def entries(contents: Path) -> list[Entry]:
    """The book's pages in the order of its table of contents."""
    toc = yaml.safe_load(contents.read_text("utf-8"))
    found = [Entry("", 0, toc["root"])]
    parts = [{"chapters": toc.get("chapters", ())}, *toc.get("parts", ())]
    for part in parts:
        caption = str(part.get("caption", ""))
        for chapter in part["chapters"]:
            found.append(Entry(caption, 0, chapter["file"]))
            found += [Entry("", 1, one["file"]) for one in chapter.get("sections", ())]
            caption = ""
    return found


def article(html: Path, page: str, known: set[str]) -> Tag:
    """A page's text, with ids and links changed so that all pages fit into one document."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf-8"), "html.parser")
    found = soup.select_one("article.bd-article")
    assert found is not None, f"{page}: the theme's article is missing"
    for part in found.select(LEFT_OUT):
        part.decompose()
    for fold in found.select("details"):
        fold["open"] = ""
    here = page.rpartition("/")[2]
    for part in found.select("[id]"):
        if part.find_parent("svg") is None:
            part["id"] = f"{here}--{part['id']}"
    for link in found.select("a[href]"):
        place, anchor = urldefrag(str(link["href"]))
        if urlsplit(place).scheme:
            continue
        target = Path(place).stem or here
        if target in known:
            link["href"] = f"#{target}--{anchor}" if anchor else f"#{target}"
        else:
            del link["href"]  # records and notebooks are not part of the PDF
    found["id"] = here
    return found


def document(html: Path, contents: Path) -> str:
    """The whole book as one HTML page."""
    listed = entries(contents)
    names = [entry.file for entry in listed]
    known = {name.rpartition("/")[2] for name in names}
    articles = [article(html, name, known) for name in names]
    titles = [str(part.h1.get_text()) if part.h1 else str(part["id"]) for part in articles]
    lines = "".join(
        (f"</ul><h2>{escape(entry.part)}</h2><ul>" if entry.part else "")
        + f'<li class="level-{entry.level}"><a href="#{part["id"]}">{escape(title)}</a></li>'
        for entry, part, title in zip(listed, articles, titles, strict=True)
    )
    front = BeautifulSoup((html / f"{names[0]}.html").read_text("utf-8"), "html.parser")
    edition = front.select_one("p.edition")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    authors = ", ".join(str(author["name"]) for author in cited["authors"])
    abstract = re.sub(r"\s+", " ", str(cited["abstract"])).strip()
    said = re.sub(r"\s+", " ", edition.get_text()).split(" MIT")[0] if edition else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Spatial weight priors</title><style>{STYLE}</style>"
        f'<link rel="stylesheet" href="{(html / "_static" / "pygments.css").as_uri()}"></head>'
        f'<body class="document"><div class="cover"><h1>Spatial weight priors</h1>'
        f"<p>An executable research report</p><p>{escape(authors)}</p><p>{escape(said)}</p>"
        f"<h2>Abstract</h2><p>{escape(abstract)}</p></div>"
        f"<nav><h1>Contents</h1><ul>{lines}</ul></nav>{''.join(map(str, articles))}</body></html>"
    )


def make(html: Path, contents: Path, target: Path) -> str | None:
    """Print the book to `target`; return None, or a message on what is missing."""
    if not (html / "book").is_dir():
        return f"There is no built book in {html}. Run `make book` first."
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        return (
            "The PDF is printed by Chromium, which is not installed. Install it (Debian, Ubuntu: "
            "apt-get install chromium; macOS: brew install --cask chromium), then run this again."
        )
    from playwright.sync_api import sync_playwright

    target.parent.mkdir(parents=True, exist_ok=True)
    whole = target.with_suffix(".html")
    whole.write_text(document(html, contents), "utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(offline=True, color_scheme="light").new_page()
        page.goto(whole.as_uri(), timeout=300_000)
        page.pdf(
            path=target,
            prefer_css_page_size=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            outline=True,
            tagged=True,
        )
        browser.close()
    whole.unlink()
    return None


if __name__ == "__main__":
    pdf = ROOT / "_build" / "pdf" / "spatial-weight-priors.pdf"
    missing = make(ROOT / "_build" / "html", ROOT / "_toc.yml", pdf)
    if missing:
        sys.exit(missing)
    print(f"The PDF is made. Open {pdf.as_uri()}")
