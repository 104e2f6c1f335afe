"""A new chapter runs, builds and passes as it is written; nothing is overwritten."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import synthetic
import yaml

from spatialnb import report
from spatialnb.commands import pin, scaffold
from spatialnb.config.run import Run
from spatialnb.priors.kernels import Kernel, register
from spatialnb.studies import get
from spatialnb.study.parameters import arm, cell, parse

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
    for name in ("spatialnb/studies", "book"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    return tmp_path


def test_a_chapter_is_a_study_a_notebook_and_a_line_of_the_contents(checkout):
    before = (checkout / "_toc.yml").read_text()
    files = [path.relative_to(checkout) for path in scaffold.new("v12", TITLE, checkout)]
    assert [str(path) for path in files] == [
        f"spatialnb/studies/{STEM}.py",
        f"book/{STEM}.ipynb",
        "_toc.yml",
    ]
    after = (checkout / "_toc.yml").read_text()
    part = f"- caption: Your chapters\n  chapters:\n  - file: book/{STEM}\n"
    assert f"book/open_questions\n{part}- caption: III" in after
    assert after.replace(part, "") == before
    scaffold.new("v13", "Another", checkout)
    later = (checkout / "_toc.yml").read_text()
    assert later == after.replace(part, f"{part}  - file: book/v13_another\n")
    yaml.safe_load(later)


@pytest.mark.parametrize("chapter", ["c9y", "c9z"])
def test_a_chapter_of_part_two_stands_after_the_last_one_there(chapter, checkout):
    scaffold.new(chapter, TITLE, checkout)
    listed = (checkout / "_toc.yml").read_text().splitlines()
    place = listed.index(f"    - file: book/{chapter}_locality_in_two_dimensions")
    assert "c8b_sixty_epochs" in listed[place - 1]
    assert f"# {TITLE} [{chapter}]{{.chapter-id}}" in (
        checkout / "book" / f"{chapter}_locality_in_two_dimensions.ipynb"
    ).read_text("utf-8")


@pytest.mark.parametrize("place", [f"book/{STEM}.ipynb", "spatialnb/studies/v12_other.py"])
def test_nothing_is_overwritten_and_then_nothing_is_written(place, checkout):
    (checkout / place).write_text("mine")
    before = sorted(checkout.rglob("*"))
    with pytest.raises(FileExistsError, match="already exists; nothing was written"):
        scaffold.new("v12", TITLE, checkout)
    assert sorted(checkout.rglob("*")) == before
    assert (checkout / place).read_text() == "mine"


@pytest.mark.parametrize(
    ("chapter", "title", "message"),
    [
        ("v05", "Again", "chapter 'v05' already exists: CIFAR-10"),
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
    with pytest.raises(FileNotFoundError, match=r"no _toc.yml in .*: run `spatialnb new` in"):
        scaffold.new("v12", TITLE, tmp_path)


GIVEN = {
    "dataset": "mnist",
    "epochs": 5,
    "lr": 0.01,
    "arms": {
        'k "5" → 9': {"kind": "exponential", "k": 5.0},
        "sharp": {
            "action": "normalise",
            "hidden": [64],
            "schedule": {"kind": "sharpen", "k_start": 3, "k_end": 50},
        },
        "sparse": {"sparse": {"zeros": 0.5}},
    },
}


def study_of(path):
    """The study in a module that stands in no package."""
    names: dict = {}
    exec(compile(path.read_text("utf-8"), str(path), "exec"), names)
    return names["STUDY"]


def test_a_chapter_has_the_data_seeds_and_arms_of_a_trial(checkout):
    source, notebook, _ = scaffold.new("v12", TITLE, checkout, parse({**GIVEN, "seeds": "0-9"}))
    study = study_of(source)
    base = Run(dataset="mnist", epochs=5, learning_rate=0.01)
    assert study.arms == {
        "none": base,
        **{name: arm(name, given, base) for name, given in parse(GIVEN)["arms"].items()},
    }
    assert (study.seeds, study.quick.dataset) == (tuple(range(10)), "quick-digits")
    assert [(claim.key, claim.arm) for claim in study.claims] == [
        ("k-5-to-9-beats-none", 'k "5" → 9'),
        ("sharp-beats-none", "sharp"),
        ("sparse-beats-none", "sparse"),
    ]
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[1].source == cell(study.parameters)
    quoted = re.findall(r"`(v12-[a-z0-9-]+)`", "".join(one.source for one in cells))
    assert set(quoted) <= set(report.numbers(synthetic.results(study)))
    assert len(quoted) == 4
    for words in (["check", "--select", "E,F"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--quiet", "--line-length", "100", str(source)],
            check=True,
        )


def test_a_chapter_begins_as_a_draft_and_lines_written_by_hand_are_few(checkout):
    source, *_ = scaffold.new("v12", TITLE, checkout)
    study = study_of(source)
    assert study.dataset == study.quick.dataset == "quick-colours"
    given = parse({"dataset": "mnist", "arms": {"edge": {"kind": "gaussian"}}})
    whole, *_ = scaffold.new("c9z", TITLE, checkout, given)
    # Question, changes, and the sentence of the claim: the rest of a study stays as it is written.
    by_hand = [
        line for line in whole.read_text().splitlines() if re.search("What does|draft|Arm ", line)
    ]
    assert len(by_hand) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": {"edge": {"kind": "edge"}}}, "unknown kernel or schedule 'edge'"),
        ({"arms": {"none": {"kind": "linear"}}}, "'none' is reserved for the baseline"),
        ({"arms": {"a b": {"kind": "linear"}, "a-b": {"kind": "gaussian"}}}, "have one key, 'a-b'"),
        ({"dataset": "mnits"}, "unknown data set 'mnits'.* Did you mean 'mnist'"),
    ],
)
def test_settings_that_make_no_chapter_write_none(given, message, checkout):
    before = sorted(checkout.rglob("*"))
    with pytest.raises(ValueError, match=message):
        scaffold.new("v12", TITLE, checkout, parse(given))
    assert sorted(checkout.rglob("*")) == before


def test_a_kernel_that_is_not_in_the_package_is_named(checkout):
    @register("test-scaffold-edge")
    @dataclass(frozen=True, kw_only=True)
    class Edge(Kernel):
        width: float = 0.3

    with pytest.raises(
        ValueError, match=r"Edge is not in the package.*a kernel: into spatialnb/pri"
    ):
        scaffold.new("v12", TITLE, checkout, parse({"arms": {"e": {"kind": "test-scaffold-edge"}}}))


# ── What must stay ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pinned(checkout):
    (checkout / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "pinned.json", checkout / "tests")
    return checkout


def test_a_chapter_is_pinned_with_its_parameters_and_pinning_again_changes_nothing(pinned):
    source, notebook, _ = scaffold.new("v12", TITLE, pinned)
    study = dataclasses.replace(study_of(source), seeds=tuple(range(7)))
    before = json.loads((pinned / "tests" / "pinned.json").read_text())
    assert pin.pin(study, pinned) == [pinned / "tests" / "pinned.json", notebook]
    after = json.loads((pinned / "tests" / "pinned.json").read_text())
    assert after.pop("v12") == {
        "arms": {arm: run.id for arm, run in study.arms.items()},
        "claims": {"exponential-beats-none": "beats"},
    }
    assert after == before
    assert "seeds = list(range(7))" in nbformat.read(notebook, as_version=4).cells[1].source
    assert pin.pin(study, pinned) == []
    # Nothing is published of it, so that its author may still change it.
    changed = dataclasses.replace(study, claims=())
    assert pin.pin(changed, pinned) == [pinned / "tests" / "pinned.json"]


def test_what_has_published_records_is_pinned_for_good(pinned):
    study = get("v01")
    assert pin.pin(study, pinned) == []
    before = (pinned / "tests" / "pinned.json").read_text()
    rules = dataclasses.replace(study.claims[0], rule="at_least", better="")
    moved = {**study.arms, "linear": dataclasses.replace(study.arms["linear"], batch_size=9)}
    for changed, what in (
        (dataclasses.replace(study, claims=(rules, *study.claims[1:])), "claim 'no-cost'"),
        (dataclasses.replace(study, arms=moved), "arm 'linear'"),
    ):
        with pytest.raises(
            ValueError, match=f"v01, {what}: pinned as .* runs of this chapter are pu"
        ):
            pin.pin(changed, pinned)
    assert (pinned / "tests" / "pinned.json").read_text() == before


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
    call("spatialnb", "pin", "v12")
    files = [f"tests/{name}.py" for name in ("test_notebooks", *EVERY_CHAPTER)]
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
