"""Sphinx extension: what a reader sees who stays on a link to a term or a chapter.

It is taken from the finished pages, so that a hint says what the page says: the first sentence of a
term in the glossary, the question of a chapter and its answer. A script in ``_static`` holds it, as
a page opened from disk may load nothing else; ``hover.js`` asks for it when it is first needed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

NAME = "hover-data.js"
QUESTION = re.compile(r"<p><strong>Question\.</strong>(.*?)</p>", re.DOTALL)
ANSWER = re.compile(r"<p><strong>Answer\.</strong>(.*?)</p>", re.DOTALL)
VERDICTS = re.compile(r'<aside class="glance"[^>]*><p class="head">(.*?)</p>', re.DOTALL)
SENTENCE = re.compile(r".*?[.](?=\s|$)", re.DOTALL)


def plain(markup: str) -> str:
    """HTML as text in one line."""
    return " ".join(BeautifulSoup(markup, "html.parser").get_text().split())


def chapter(text: str) -> list[str] | None:
    """The question of a chapter and its answer, or else its verdicts; None of another page."""
    question, answer = QUESTION.search(text), ANSWER.search(text) or VERDICTS.search(text)
    if question is None:
        return None
    return [plain(question[1]), *([plain(answer[1])] if answer else [])]


def terms(glossary: str) -> dict[str, str]:
    """The first sentence of each term, by its anchor."""
    found = {}
    for term in BeautifulSoup(glossary, "html.parser").select("dl.glossary dt[id]"):
        meant = term.find_next_sibling("dd")
        for formula in meant.select("mjx-container, .math") if meant else []:
            formula.replace_with("…")
        said = plain(str(meant.find("p") or meant)) if meant else ""
        sentence = SENTENCE.match(said)
        found[str(term["id"])] = (sentence[0] if sentence else said).rstrip(":")
    return found


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the script beside the others."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    pages = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("book/*.html"))}
    data = {
        "chapters": {name: said for name, text in pages.items() if (said := chapter(text))},
        "terms": terms(pages.get("glossary", "")),
    }
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / "_static" / NAME).write_text(f"window.HINTS = {text};\n", "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
