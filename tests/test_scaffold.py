"""A new chapter runs, builds and passes as it is written; nothing is overwritten."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spatialnb.commands import scaffold

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".mypy_cache"
KEPT = ("spatialnb", "tests", "tools", "book", "_config.yml", "_toc.yml", "pyproject.toml")
EVERY_CHAPTER = ("test_imports", "test_studies", "test_pinned")
"""Tests that look at all chapters."""

TITLE = "Locality in two dimensions"
STEM = "v12_locality_in_two_dimensions"


@pytest.fixture
def checkout(tmp_path):
    """The parts of a checkout that a new chapter is written into."""
    for name in ("spatialnb/studies", "book", "tests"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    return tmp_path


def test_a_chapter_is_a_study_a_notebook_a_test_and_a_line_of_the_contents(checkout):
    before = (checkout / "_toc.yml").read_text()
    files = [path.relative_to(checkout) for path in scaffold.new("v12", TITLE, checkout)]
    assert [str(path) for path in files] == [
        f"spatialnb/studies/{STEM}.py",
        f"book/{STEM}.ipynb",
        f"tests/test_{STEM}.py",
        "_toc.yml",
    ]
    after = (checkout / "_toc.yml").read_text()
    part = f"- caption: Your chapters\n  chapters:\n  - file: book/{STEM}\n"
    assert f"c6d_other_networks\n{part}- caption: The whole" in after
    assert after.replace(part, "") == before
    scaffold.new("v13", "Another", checkout)
    later = (checkout / "_toc.yml").read_text()
    assert later == after.replace(part, f"{part}  - file: book/v13_another\n")
    yaml.safe_load(later)


@pytest.mark.parametrize(("chapter", "after"), [("c7", "c6d_other_networks"), ("c7b", "c6d_other")])
def test_a_chapter_of_part_two_stands_after_the_last_one_there(chapter, after, checkout):
    scaffold.new(chapter, TITLE, checkout)
    listed = (checkout / "_toc.yml").read_text().splitlines()
    place = listed.index(f"  - file: book/{chapter}_locality_in_two_dimensions")
    assert after in listed[place - 1]
    assert f"# {chapter} · {TITLE}" in (
        checkout / "book" / f"{chapter}_locality_in_two_dimensions.ipynb"
    ).read_text("utf-8")


@pytest.mark.parametrize("place", [f"book/{STEM}.ipynb", "spatialnb/studies/v12_other.py"])
def test_nothing_is_overwritten_and_then_nothing_is_written(place, checkout):
    (checkout / place).write_text("mine")
    before = sorted(checkout.rglob("*"))
    with pytest.raises(FileExistsError, match="is there already; nothing was written"):
        scaffold.new("v12", TITLE, checkout)
    assert sorted(checkout.rglob("*")) == before
    assert (checkout / place).read_text() == "mine"


@pytest.mark.parametrize(
    ("chapter", "title", "message"),
    [
        ("v05", "Again", "chapter 'v05' is there already: CIFAR-10"),
        ("v5", "Again", "expected v and two digits"),
        ("../v12", "Out", "expected v and two digits"),
        ("v12", "", "expected 1 to 60 characters"),
        ("v12", "…", "expected 1 to 60 characters"),
        ("v12", "x" * 61, "expected 1 to 60 characters"),
        ("v12", '"); import os', "expected 1 to 60 characters"),
        ("v12", "<script>", "expected 1 to 60 characters"),
        ("v12", "two\nlines", "expected 1 to 60 characters"),
    ],
)
def test_names_that_clash_or_do_harm_are_refused(chapter, title, message, checkout):
    before = sorted(checkout.rglob("*"))
    with pytest.raises(ValueError, match=message):
        scaffold.new(chapter, title, checkout)
    assert sorted(checkout.rglob("*")) == before


def test_outside_a_checkout_there_is_nothing_to_add_to(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no _toc.yml in .*: make a new chapter in a chec"):
        scaffold.new("v12", TITLE, tmp_path)


def test_a_throwaway_chapter_is_written_and_runs_and_builds_and_passes(tmp_path):
    """In a copy of the checkout, with the commands that its author would use."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in KEPT:
        source = ROOT / name
        if source.is_dir():
            ignored = ("__pycache__", *(["records"] if name == "book" else []))
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns(*ignored))
        else:
            shutil.copy(source, copy)
    shutil.copy(ROOT / "CONTRIBUTING.md", copy)
    if CACHE.is_dir():  # types of the packages that are used, which are the same there
        shutil.copytree(CACHE, copy / CACHE.name)
    (copy / "book" / "records").symlink_to(ROOT / "book" / "records")
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "SPATIALNB_STORE": str(tmp_path / "store"),
    }

    def call(*words):
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{words}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    assert f"{STEM}.ipynb" in call("spatialnb", "new", "v12", TITLE)
    call("ruff", "check", "spatialnb", "tests", "book")
    call("ruff", "format", "--check", "spatialnb", "tests", "book")
    call("mypy", f"spatialnb/studies/{STEM}.py")
    files = [f"tests/{name}.py" for name in (f"test_{STEM}", "test_notebooks", *EVERY_CHAPTER)]
    chosen = " or ".join([STEM, *EVERY_CHAPTER])
    told = call("pytest", "-q", "-m", "not slow", "-k", chosen, *files)
    assert re.search(r"^\d{3} passed, \d+ deselected", told, re.MULTILINE), told
    # This page alone, as `make page` does: that of all pages is built by `make book`.
    ended = subprocess.run(
        [sys.executable, "tools/build_page.py", "v12", "."],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    page = (copy / "_build" / "page" / "html" / "book" / f"{STEM}.html").read_text()
    assert "A draft" in page
    assert TITLE in page
