"""The PDF: all pages in one document, links led inside it, and a word where no browser is."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("make_pdf", ROOT / "tools" / "make_pdf.py")
make_pdf = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_pdf)

PAGE = """<html><body><article class="bd-article"><section id="top"><h1>{title}</h1>
<a class="headerlink" href="#top">#</a> <a href="#top">here</a> <a href="two.html">two</a>
<a href="two.html#top">its top</a> <a href="../records/runs/1.json">record</a>
<a href="https://example.org/">far</a> <p>Download: <a download="a.csv" href="data:,">a.csv</a></p>
<details class="hide"><summary>Code</summary>hidden code</details>
<details><summary>Why</summary>a reason</details>
<svg><path id="shape"></path></svg></section></article><p class="edition">v 1, 2 records.</p>
</body></html>"""


@pytest.fixture
def built(tmp_path):
    html = tmp_path / "html"
    (html / "book").mkdir(parents=True)
    for name in ("one", "two"):
        (html / "book" / f"{name}.html").write_text(PAGE.format(title=f"Page &lt;{name}&gt;"))
    contents = tmp_path / "_toc.yml"
    contents.write_text("root: book/one\nchapters:\n- file: book/two\n")
    return html, contents


def test_every_page_of_the_contents_is_there_in_order(built):
    text = make_pdf.document(*built)
    found = re.findall(r'<article class="bd-article" id="(\w+)"', text)
    assert found == ["one", "two"]
    listed = make_pdf.entries(ROOT / "_toc.yml")
    files = [entry.file for entry in listed]
    assert files[0] == "book/index"
    assert files.index("book/c3_on_the_plane") == files.index("book/q4_pixel_grid") + 1
    assert len(files) == len(set(files))
    assert [entry.part for entry in listed if entry.part][1] == "I · The log"
    assert listed[files.index("book/c3_on_the_plane")].level == 1


def test_the_title_page_has_authors_and_abstract_and_contents_have_parts(built):
    html, contents = built
    contents.write_text(
        "root: book/one\nparts:\n- caption: A <part>\n  chapters:\n  - file: book/two\n"
    )
    text = make_pdf.document(html, contents)
    assert "The spatialnb authors" in text
    assert "Abstract" in text
    assert "Every claim has a tested verdict" in text
    assert "<h2>A &lt;part&gt;</h2>" in text


def test_links_lead_inside_the_document_and_those_to_other_files_are_text(built):
    text = make_pdf.document(*built)
    for link in ("#one--top", "#two--top", "#two", "https://example.org/"):
        assert f'href="{link}"' in text
    assert "records/runs" not in text
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r' id="([^"]+)"', text))


def test_what_is_of_use_on_a_screen_only_is_left_out_and_folds_are_open(built):
    text = make_pdf.document(*built)
    assert "hidden code" not in text
    assert "download=" not in text
    assert '<details open="">' in text
    assert text.count('id="shape"') == 2  # names inside a picture stay as the picture has them


def test_without_a_browser_it_says_what_to_install(built, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    said = make_pdf.make(*built, tmp_path / "a.pdf")
    assert "apt-get install chromium" in said
    assert not (tmp_path / "a.pdf").exists()


def test_without_a_book_it_says_what_to_run(tmp_path):
    assert "make book" in make_pdf.make(tmp_path, tmp_path / "_toc.yml", tmp_path / "a.pdf")


@pytest.mark.skipif(
    not any(map(shutil.which, make_pdf.BROWSERS)), reason="no Chromium: apt-get install chromium"
)
def test_a_book_is_printed(built, tmp_path):
    html, contents = built
    target = tmp_path / "pdf" / "a.pdf"
    assert make_pdf.make(html, contents, target) is None
    assert target.read_bytes().startswith(b"%PDF-")
    if shutil.which("pdftotext"):
        said = subprocess.check_output(["pdftotext", target, "-"], text=True)
        assert "Page <two>" in said
        assert "a reason" in said
