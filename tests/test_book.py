"""The book as a product: whole, fit to be read without a network, and never built broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import page_faults
import pytest
import yaml
from bs4 import BeautifulSoup
from jupyter_book.config import validate_yaml

ROOT = Path(__file__).parents[1]

RUNS = """\
from myst_nb import glue

glue("answer", 6 * 7, display=False)
"""


@dataclass
class Book:
    """A small book with this book's settings, built by what `make book` calls."""

    folder: Path

    @property
    def html(self) -> Path:
        return self.folder / "_build" / "html"

    def page(self, name: str, text: str) -> None:
        (self.folder / "book" / f"{name}.md").write_text(text, "utf-8")

    def notebook(self, name: str, code: str) -> None:
        new = nbformat.v4
        cells = [new.new_markdown_cell(f"# {name}"), new.new_code_cell(code)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.folder / "book" / f"{name}.ipynb")

    def build_page(self, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "tools" / "build_page.py"), name, str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self) -> subprocess.CompletedProcess[str]:
        pages = sorted(path.stem for path in (self.folder / "book").glob("p*.*"))
        toc = {"format": "jb-book", "root": "book/index"}
        chapters = [{"file": f"book/{page}"} for page in pages]
        (self.folder / "_toc.yml").write_text(yaml.safe_dump(toc | {"chapters": chapters}))
        return subprocess.run(
            [sys.executable, str(ROOT / "tools" / "build_book.py"), str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def book(tmp_path: Path) -> Book:
    made = Book(tmp_path / "a book")
    for part in ("_static", "_extensions", "_templates"):
        shutil.copytree(ROOT / "book" / part, made.folder / "book" / part)
    shutil.copy(ROOT / "book" / "references.bib", made.folder / "book")
    shutil.copy(ROOT / "_config.yml", made.folder)
    made.page("index", "# A small book\n")
    return made


def test_the_settings_are_ones_that_jupyter_book_knows() -> None:
    validate_yaml(yaml.safe_load((ROOT / "_config.yml").read_text("utf-8")), raise_on_errors=True)


def test_every_page_is_in_the_table_of_contents() -> None:
    toc = (ROOT / "_toc.yml").read_text("utf-8")
    listed = set(re.findall(r"(?:root|file): book/(\S+)", toc))
    assert listed == {
        path.stem for path in (ROOT / "book").iterdir() if path.suffix in (".md", ".ipynb")
    }


def test_a_book_in_order_is_built_and_needs_no_network(book: Book) -> None:
    # More than five pages: only then does Sphinx read in parallel, which must not lose what one
    # page takes from another.
    book.notebook("p1", RUNS)
    book.notebook("p2", "print('run')")
    for number in range(3, 8):
        book.page(f"p{number}", f"(here{number})=\n# Page {number}\n\n$E = mc^2$\n")
    book.page(
        "index", "# A small book\n\nIt is {glue:text}`p1.ipynb::answer:d`, see {ref}`here7`.\n"
    )
    record = book.folder / "book" / "records" / "runs" / "0123.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")

    ended = book.build()

    assert ended.returncode == 0, ended.stderr
    assert (book.html / "index.html").as_uri() in ended.stdout
    assert ">42</span>" in (book.html / "book" / "index.html").read_text("utf-8")
    assert (book.html / "records" / "runs" / "0123.json").is_file()
    page = (book.html / "book" / "p3.html").read_text("utf-8")
    assert "<mjx-container" in page
    assert "\\(" not in page
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=[\"']([^\"']+)", page)
    assert loaded
    assert not [url for url in loaded if re.match(r"(https?:)?//", url)]


def test_a_page_says_its_book_and_a_shared_picture_is_absolute_or_not_there(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOOK_URL", raising=False)
    book.page("p1", "# Page\n")
    for address in ("", "https://example.org/book/"):
        monkeypatch.setenv("BOOK_URL", address)
        ended = book.build()
        assert ended.returncode == 0, ended.stderr
        for file in sorted(book.html.rglob("*.html")):
            if "_static" in file.relative_to(book.html).parts:
                continue
            page = BeautifulSoup(file.read_text("utf-8"), "html.parser")
            shared = file.name != "404.html"
            assert page_faults.wrong_metadata(page, file, book.html, shared) == [], file
            image = page.select_one('meta[property="og:image"]')
            assert (image is not None) == (shared and address != "")
            if image is not None:
                assert image["content"] == "https://example.org/book/_static/card.png"
                named = page.select_one('meta[property="og:url"]')["content"]
                assert named == f"https://example.org/book/{file.relative_to(book.html).as_posix()}"
    front = (book.html / "index.html").read_text("utf-8")
    assert '<meta http-equiv="refresh" content="0; url=book/index.html">' in front
    monkeypatch.setenv("BOOK_URL", "example.org/book")
    ended = book.build()
    assert ended.returncode != 0
    assert "BOOK_URL is 'example.org/book': expected an absolute address" in ended.stderr


def test_a_broken_notebook_fails_the_build_until_it_is_repaired(book: Book) -> None:
    book.notebook("p1", "raise ValueError('a broken chapter')")
    broken = book.build()
    assert broken.returncode != 0
    assert "p1.ipynb" in broken.stderr
    assert "a broken chapter" in broken.stderr

    book.notebook("p1", RUNS)
    repaired = book.build()
    assert repaired.returncode == 0, repaired.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_book_that_is_built_again_is_the_one_that_is_built_from_nothing(book: Book) -> None:
    # What one page takes from another: a title, a label, a number, a whole text, and a name in the
    # index, the search and the navigation.
    book.notebook("p1", RUNS)
    text = "(here)=\n# {title}\n\nSome words, $x^2$ and {{cite}}`Kaiming2015`.\n"
    text = text.replace("{{cite}}`Kaiming2015`", "more words")
    book.page("p2", text.format(title="A title"))
    book.page("p3", "# Third\n\nSee {ref}`here`, {doc}`p2`, {glue:text}`p1.ipynb::answer:d`.\n")
    book.page("p4", "# Fourth\n\n```{include} p5.md\n:start-line: 1\n```\n")
    for number in range(5, 9):
        book.page(f"p{number}", f"# Page {number}\n\nWords of page {number}.\n")
    first = book.build()
    assert first.returncode == 0, first.stderr
    before = files_of(book.html)

    again = book.build()
    assert "Nothing changed" in again.stdout
    assert files_of(book.html) == before

    (book.html / "book" / "p3.html").unlink()
    again = book.build()
    assert "Read again: no page." in again.stdout
    assert files_of(book.html) == before

    old = book.folder / "book" / "p2.md"
    book.page("p2", text.format(title="Another title"))
    os.utime(old, (1, 1))  # what counts is the text, not when it was written
    book.page("p5", "# Page 5\n\nOther words.\n")
    book.notebook("p1", RUNS.replace("6 * 7", "6 * 8"))
    again = book.build()
    assert again.returncode == 0, again.stderr
    assert "book/p1.ipynb is run: its code changed." in again.stdout
    assert "Read again: book/p1.ipynb, book/p2.md, book/p4.md, book/p5.md." in again.stdout
    found = files_of(book.html)
    shutil.rmtree(book.folder / "_build")
    assert book.build().returncode == 0
    assert found.keys() == files_of(book.html).keys()
    assert [name for name, data in files_of(book.html).items() if data != found[name]] == []
    assert b"Another title" in found["book/p3.html"]
    assert b">48</span>" in found["book/p3.html"]
    assert b"Other words" in found["book/p4.html"]


def test_a_build_says_why_all_pages_are_read_and_all_notebooks_run(book: Book) -> None:
    book.notebook("p1", RUNS)
    said = book.build().stdout
    assert "Every notebook is run: no results are kept." in said
    assert "Every page is read: no earlier build ended well." in said

    sheet = book.folder / "book" / "_static" / "book.css"
    sheet.write_text(sheet.read_text() + "\n/* more */\n")
    said = book.build().stdout
    assert "No notebook is run." in said
    assert "the book's settings changed: book/_static/book.css" in said

    (book.folder / "book" / "data.json").write_text("{}")
    said = book.build().stdout
    assert "Every notebook is run:\nwhat stands beside the pages changed: data.json (new)" in said

    book.notebook("p2", "print('run')")
    said = book.build().stdout
    assert "book/p2.ipynb is run: it is new." in said
    assert "the table of pages changed: book/p2.ipynb (new)" in said


def test_a_copy_of_a_book_elsewhere_runs_no_notebook_again(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.notebook("p1", RUNS)
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path / "one store"))
    assert book.build().returncode == 0
    copy = Book(tmp_path / "a copy")
    shutil.copytree(book.folder, copy.folder)
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path / "another store"))
    ended = copy.build()
    assert ended.returncode == 0, ended.stderr
    assert "No notebook is run." in ended.stdout
    assert "Every page is read:\nthe book's folder changed" in ended.stdout


def test_a_notebook_runs_again_where_it_or_what_it_is_made_from_changed(book: Book) -> None:
    told = book.folder / "told"
    first = f"import pathlib\nopen({str(told)!r}, 'a').write('one ')"
    book.notebook("p1", first)
    book.notebook("p2", f"open({str(told)!r}, 'a').write('two ')")
    data = book.folder / "book" / "records" / "0123.json"
    data.parent.mkdir()
    data.write_text("{}")

    def runs_of_a_build() -> list[str]:
        told.write_text("")
        ended = book.build()
        assert ended.returncode == 0, ended.stderr
        return sorted(told.read_text().split())

    assert runs_of_a_build() == ["one", "two"]
    assert runs_of_a_build() == []
    book.notebook("p1", f"{first}  # changed")
    assert runs_of_a_build() == ["one"]
    data.write_text('{"changed": true}')
    assert runs_of_a_build() == ["one", "two"]
    (book.folder / "book" / "p1.ipynb").unlink()
    assert runs_of_a_build() == []
    assert not (book.html / "book" / "p1.html").exists()
    assert (book.html / "book" / "p2.html").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# Page\n\nSee {ref}`nowhere`.\n", "undefined label: 'nowhere'"),
        ("# Page\n\nSee [a page](nowhere.md).\n", "target not found: 'nowhere.md'"),
        ("# Page\n\n{cite}`nobody`\n", 'could not find bibtex key "nobody"'),
        ("# Page\n\n$\\nothing x$\n", "Undefined control sequence"),
    ],
    ids=["reference", "link", "citation", "formula"],
)
def test_what_a_page_refers_to_must_be_there(book: Book, text: str, complaint: str) -> None:
    book.page("p1", text)
    ended = book.build()
    assert ended.returncode != 0
    assert complaint in ended.stderr


TWICE = {
    "the label 'here'": "(here)=\n## Here\n",
    "the label 'there'": "(there)=\nNo title follows.\n",
    "the equation 'sum'": "```{math}\n:label: sum\nx\n```\n",
    "the term 'kernel'": "```{glossary}\nkernel\n: A function.\n```\n",
}


def test_a_name_on_two_pages_fails_the_build_whoever_reads_them(book: Book) -> None:
    # More than five pages, so that they are read in parallel, the two by different processes.
    for number in range(1, 9):
        book.page(f"p{number}", f"# Page {number}\n\nWords of page {number}.\n")
    book.page("p1", "# Page 1\n\n" + "\n".join(TWICE.values()))
    in_order = book.build()
    assert in_order.returncode == 0, in_order.stderr
    book.page("p8", "# Page 8\n\n" + "\n".join(TWICE.values()))
    for _ in range(2):  # with the other page as it was kept, and with all read again
        ended = book.build()
        assert ended.returncode != 0
        for what in TWICE:
            assert f"{what} stands in book/p1 too; rename one" in ended.stderr


def test_a_warning_inside_a_notebook_fails_the_build(book: Book) -> None:
    book.notebook("p1", "import warnings\n\nwarnings.warn('old')")
    for _ in range(2):  # what was kept of the first build does not hide it from the second
        ended = book.build()
        assert ended.returncode != 0
        assert "p1.ipynb" in ended.stderr


# ── One page alone ──────────────────────────────────────────────────────────────────────────────


def test_a_page_is_built_alone_whatever_the_others_are(book: Book) -> None:
    book.notebook("p1", "raise ValueError('another chapter')")
    book.notebook("p2", RUNS)
    book.page(
        "p3", "# Third\n\n{ref}`there`, {doc}`p1`, [p1](p1.ipynb), {cite}`Kaiming2015`, $x$\n"
    )
    for name in ("p2", "book/p3.md"):
        ended = book.build_page(name)
        assert ended.returncode == 0, ended.stderr
        assert "WARNING" not in ended.stderr
    page = book.folder / "_build" / "page" / "html" / "book" / "p3.html"
    assert page.as_uri() in ended.stdout
    assert "<mjx-container" in page.read_text("utf-8")
    assert not book.html.exists()


def test_a_broken_page_fails_alone_too(book: Book) -> None:
    book.notebook("p1", "raise ValueError('a broken chapter')")
    ended = book.build_page("p1")
    assert ended.returncode == 1
    assert "a broken chapter" in ended.stderr
    assert "book/p1.ipynb is not in order" in ended.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v99", "unknown page 'v99'; known: index, v01, v02."),
        ("", "name one of index, v01, v02"),
    ],
)
def test_a_page_that_is_not_there_is_named_with_those_that_are(
    book: Book, name: str, said: str
) -> None:
    book.page("v01_one", "# One\n")
    book.page("v02_two", "# Two\n")
    ended = book.build_page(name)
    assert ended.returncode == 2
    assert ended.stderr == said + "\n"
    assert not (book.folder / "_build").exists()


@pytest.mark.parametrize("tool", ["build_book.py", "build_page.py"])
def test_a_tool_explains_itself_and_leaves_nothing(tool: str, tmp_path: Path) -> None:
    for words, code in ((["--help"], 0), (["nowhere", "nowhere"], 2)):
        ended = subprocess.run(
            [sys.executable, str(ROOT / "tools" / tool), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert ended.returncode == code
        assert "usage: " in ended.stdout + ended.stderr or "holds no book" in ended.stderr
    assert list(tmp_path.iterdir()) == []


HOSTILE = '<img src=x onerror="alert(1)">**b** [a](javascript:z)'

CHAPTER = f"""\
import sys

sys.path.insert(0, {str(Path(__file__).parent)!r})
import dataclasses

import synthetic
from IPython.display import display

from spatialnb import report

claims = [dataclasses.replace(one, words=HOSTILE, note=HOSTILE) for one in synthetic.CLAIMS]
arms = {{**synthetic.ARMS, HOSTILE: dataclasses.replace(synthetic.ARMS["linear"], batch_size=9)}}
labels = {{"inverse": HOSTILE + "2"}}
study = synthetic.study(arms=arms, labels=labels, title=HOSTILE, claims=tuple(claims))
results = synthetic.results(study, failed=[(HOSTILE, 3)])
named = {{arm: run.schedule.at(1.0) for arm, run in arms.items()}}
report.glue_numbers(results)
report.glue_numbers({{"hostile": HOSTILE}})
display(report.glance(results), report.verdicts(results), report.ledger(results.findings()))
display(report.table(results), report.table(results, "similarity"), report.shares(results))
display(report.curves(results), report.dots(results), report.trade_off(results, "sparsity"))
display(report.side_by_side(results, ["accuracy", "accuracy@2"]), report.kernel_figure(named))
display(report.banner(synthetic.results(study, seeds=[0, 1])))
print(report.frame(results).to_string())
"""


def test_a_name_in_html_or_markdown_puts_no_markup_into_a_built_page(book: Book) -> None:
    book.notebook("p1", f"HOSTILE = {HOSTILE!r}\n{CHAPTER}")
    book.page("p2", "# Quoted\n\n{glue:text}`p1.ipynb::hostile:s`\n")
    ended = book.build()
    assert ended.returncode == 0, ended.stderr
    for name, least in (("p1", 20), ("p2", 1)):
        text = (book.html / "book" / f"{name}.html").read_text("utf-8")
        page = BeautifulSoup(text, "html.parser")
        assert page.get_text().count("alert(1)") >= least  # it stands there, and as text
        assert not page.select('img[src="x"]')
        for tag in page.find_all(True):
            assert "onerror" not in tag.attrs, tag
            assert not str(tag.get("href", "")).lower().startswith("javascript:"), tag
        assert not [part for part in page.select("b, strong") if part.get_text() == "b"]
