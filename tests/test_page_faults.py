"""Faults that readers met: each kind is found where it is, and in no source of a page.

The built book is held to the same in `tests/test_browser.py`.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import page_faults
import pytest
from bs4 import BeautifulSoup

from spatialnb import studies
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Exponential, share_below
from spatialnb.report.formatting import number

BOOK = Path(__file__).parents[1] / "book"
SOURCES = sorted([*BOOK.glob("*.md"), *BOOK.glob("*.ipynb")])


def prose_of(source: Path) -> list[str]:
    """The paragraphs of a page's source."""
    text = source.read_text("utf-8")
    if source.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join(
            "".join(one["source"]) for one in cells if one["cell_type"] == "markdown"
        )
    text = re.sub(r"(?ms)^```.*?^```|`[^`]*`", "…", text)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=[|*-] )|\|", text)]


def html(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


@pytest.mark.parametrize(
    ("kind", "text", "faults"),
    [
        ("doubled words", "the difference to to zero", ["to to"]),
        ("doubled words", "The the kernel", ["The the"]),
        ("doubled words", "to zero, to one; Lu Lu et al.; 12 12", []),
        ("layout words", "Strength on the left; on the right the strengths.", 2),
        ("layout words", "Above, strength by distance. Below: the strengths.", 2),
        ("layout words", "the upper panel", 1),
        ("layout words", "folded away below the table, and to its right; what is left", []),
        ("signs", "+1.93 [+1.70, +2.17] points below it", 1),
        ("signs", "−0.4 points above none", 1),
        ("signs", "accuracy falls by −42.6 points", 1),
        ("signs", "costs accuracy, −3.34 points", 1),
        ("signs", "renumbering adds −0.010 nats", 1),
        ("signs", "it gets there +1.10 [+0.84, +1.36] epochs earlier", 1),
        ("signs", "+1.93 points above none, 42.6 points below, and it falls to +3.8 points", []),
        ("signs", "D lies above −0.5; a test puts D above −0.5; it lies wholly below −0.5", []),
        ("signs", "sharpening is −0.37 [−0.72, −0.01] points from it", []),
    ],
)
def test_a_fault_of_prose_is_found(kind: str, text: str, faults: list[str] | int) -> None:
    found = page_faults.PROSE[kind](text)
    assert (len(found) if isinstance(faults, int) else found) == faults


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_source_of_a_page_has_doubled_words_or_names_a_figures_layout(source: Path) -> None:
    for text in prose_of(source):
        assert page_faults.doubled_words(text) + page_faults.layout_words(text) == [], text


HEAD = """<title>A page — Spatial weight priors</title><link rel="icon" href="icon.svg">
<meta name="description" content="A book.">
<meta property="og:site_name" content="Spatial weight priors">
<meta property="og:title" content="A page"><meta name="twitter:card" content="summary">"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", None),
        ("A page — Spatial weight priors", "Page — Project name not set", "title"),
        ("icon.svg", "nowhere.svg", "icon"),
        ('content="Spatial weight priors"', 'content="Project name not set"', "og:site_name"),
        ('content="A page"', 'content=""', "no og:title"),
        (
            "<meta property",
            '<meta property="og:image" content="_static/card.png"><meta property',
            "og",
        ),
    ],
)
def test_a_fault_of_a_head_is_found(tmp_path: Path, old: str, new: str, fault: str | None) -> None:
    (tmp_path / "icon.svg").touch()
    page = html(HEAD.replace(old, new, 1))
    found = page_faults.wrong_metadata(page, tmp_path / "page.html", tmp_path)
    assert bool(found) == (fault is not None)
    assert fault is None or fault in found[0]


TABLE = """<div class="spatialnb"><table class="data sortable asc"><caption>Accuracy</caption>
<thead><tr><th>arm</th><th>ours</th><th>n</th></tr></thead><tbody>
<tr><th>none</th><td>50</td><td>20</td></tr><tr><th>linear</th><td>51</td><td>20</td></tr>
</tbody></table><a download="a.csv">a.csv</a></div>"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", None),
        ("a.csv", "a.json", "no CSV"),
        (" asc", "", "sorted down first"),
        ("<td>51</td><td>20</td>", "<td>–</td><td>0</td>", "n = 0 at linear"),
        ("<td>51</td>", "<td>50</td>", "linear has the row of none"),
        ('class="data sortable asc"', 'class="dataframe"', "a raw table"),
    ],
)
def test_a_fault_of_a_table_is_found(old: str, new: str, fault: str | None) -> None:
    found = page_faults.wrong_tables(html(TABLE.replace(old, new, 1)))
    assert bool(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_an_epoch_that_is_counted_from_one_is_found() -> None:
    page = "<p>cifar10-jpeg, 12 epochs</p><p>highest in epoch {}</p>"
    assert page_faults.epochs_from_one(html(page.format(11))) == []
    assert page_faults.epochs_from_one(html(page.format(12))) == ["epoch 12"]


# ── Claims, which a table may sort ──────────────────────────────────────────────────────────────

SUBJECT_ELSEWHERE = re.compile(
    r"^(?:(?:On|With|Without|In|After|From|At) (?:[\w-]+,? ){1,4})?(?:[Ii]t|[Tt]hey)\s"
    r"|^The lead\b (?!of)|\bas much\.$"
)


def test_a_claim_has_its_subject_in_itself() -> None:
    assert SUBJECT_ELSEWHERE.search("It beats the same strengths.")
    assert SUBJECT_ELSEWHERE.search("On IMDB, with kernels it reaches 95 %.")
    assert SUBJECT_ELSEWHERE.search("The lead widens.")
    assert not SUBJECT_ELSEWHERE.search("The prior makes networks no more alike than they are.")
    words = [claim.words for study in studies.STUDIES.values() for claim in study.claims]
    assert [text for text in words if SUBJECT_ELSEWHERE.search(text)] == []


# ── What how_read says of the log's sparsities ──────────────────────────────────────────────────


def printed(*widths: int) -> list[str]:
    """The share of strengths under 0.1 at k = 15, 30, 50, 75 and 100, as the log prints it."""
    distances = [layer_distance(out, into) for into, out in itertools.pairwise(widths)]
    kernels = [Exponential(k=k) for k in (15, 30, 50, 75, 100)]
    return [
        number(100 * share_below([kernel.strength(d) for d in distances]), 1) for kernel in kernels
    ]


def test_the_logs_sparsities_leave_the_widths_open() -> None:
    log = ["64.7", "81.4", "88.6", "92.3", "94.2"]
    assert printed(3072, 256, 128, 10) == log
    assert printed(3072, 256, 64, 10) == log
    assert (
        sum(ours != theirs for ours, theirs in zip(printed(3072, 512, 128, 10), log, strict=True))
        == 1
    )


def test_c3c_says_of_the_rates_that_were_taken_what_the_records_say() -> None:
    from spatialnb import report
    from spatialnb.studies import c2c_learning_rates, c3c_their_rates

    results = studies.get("c3c").run(progress=False, train=False)
    taken = [
        results.study.arms[arm] for arm in report.chosen(results, c3c_their_rates.GRID).values()
    ]
    assert all(run.learning_rate > 0.003 and run.learning_rate_decay for run in taken)
    results = studies.get("c2c").run(progress=False, train=False)
    said = report.chosen_numbers(results, c2c_learning_rates.GRID)
    assert (said["c2c-exponential-best-rate"], said["c2c-exponential-best-decay"]) == (
        "0.0005",
        "linear",
    )
    assert (said["c2c-k-3-to-50-best-rate"], said["c2c-k-3-to-50-best-decay"]) == (
        "0.004",
        "constant",
    )
