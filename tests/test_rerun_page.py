"""The page of a re-run: every chapter's words and formulas, read as HTML and in a browser."""

import re
import shutil
from itertools import starmap

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from test_browser import BROWSERS, WIDTHS

from spatialnb.commands import rerun
from spatialnb.studies import STUDIES

HAS_CHAPTER = [
    study
    for study in STUDIES.values()
    if any(rerun.records_store.book_folder().glob(f"{study.id}_*.ipynb"))
]

FAULTS = """() => {
  const wide = document.documentElement.clientWidth + 1;
  const box = node => node.getBoundingClientRect();
  const scrolls = node => node && node !== document.body && (
    /auto|scroll/.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const empty = [...document.querySelectorAll("math")].filter(one => !box(one).width);
  const flat = [...document.querySelectorAll("msup, msub, mfrac")]
    .filter(one => one.children.length < 2 || [...one.children].some(part => !box(part).width));
  const cut = [...document.querySelectorAll("table, pre, svg, img, math")]
    .filter(one => box(one).right > wide && !scrolls(one));
  return [...empty, ...flat, ...cut].map(one => one.outerHTML.slice(0, 200));
}"""
"""Formulas without size, without their parts, and what leaves the page to the right."""


def page_of(study, folder):
    """The page of a chapter that is not executed: its words, without tables and figures."""
    path = folder / rerun.notebook(study).name
    shutil.copy(rerun.notebook(study), path)
    return rerun._page(path, study)


def looked_at(paths):
    """What a browser finds wrong with pages, at three widths."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no browser: apt-get install chromium, or the like")
    wrong = []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = started.new_context(offline=True).new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda asked: wrong.append(f"not loaded: {asked.url}"))
        for path in paths:
            page.goto(path.as_uri())
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                wrong += [f"{path.name} at {width}: {one}" for one in page.evaluate(FAULTS)]
        started.close()
    return wrong


@pytest.mark.parametrize("study", HAS_CHAPTER, ids=lambda study: study.id)
def test_a_page_has_every_formula_of_its_chapter_whole_and_no_marks_of_the_book(study, tmp_path):
    import nbformat

    book = nbformat.read(rerun.notebook(study), as_version=4)
    source = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    asked = re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", source, flags=re.DOTALL)
    page = BeautifulSoup(page_of(study, tmp_path).read_text("utf-8"), "html.parser")
    formulas = page.find_all("math")
    assert len(formulas) == len(asked)
    for part in page.find_all(["msup", "msub", "mfrac"]):
        assert len(part.find_all(recursive=False)) == 2, part
    assert all(one.get_text().strip() for one in page.find_all(["mi", "mn"]))
    for part in page(["style", "script", "pre"]):
        part.extract()
    assert not re.search(r"xformula|\$|\{[a-z:]+\}`|```|:::", page.get_text())


def test_formulas_come_back_in_their_places_and_words_that_look_like_theirs_stay():
    formulas = rerun.Formulas()
    text = formulas.taken_out("xformula7x, $a^2$ and $$\n\\frac{1}{b}\n$$")
    assert text == "xformula7x, xformula1x and xformula0x"
    html = formulas.put_in(f"<p>{text}</p>")
    assert html.startswith("<p>xformula7x, <math")
    assert "<msup><mi>a</mi><mn>2</mn></msup>" in html
    assert 'display="block"' in html


@pytest.mark.slow
def test_the_words_of_every_page_look_right_in_a_browser(tmp_path):
    assert looked_at(starmap(page_of, ((study, tmp_path) for study in HAS_CHAPTER))) == []
