"""The page's judging against the package's own, for all claims over a grid of settings.

The script runs in V8, the engine of Chromium and of Node.js.
"""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from bs4 import BeautifulSoup
from numpy.typing import NDArray
from py_mini_racer import mini_racer

from spatialnb import studies
from spatialnb.report.live_ledger import FLIPS, ledger_about, ledger_data, live_ledger
from spatialnb.study.claims import Claim, Finding
from spatialnb.study.judging import (
    Case,
    Correction,
    Settings,
    case,
    judge_cases,
    verdicts_only,
)
from spatialnb.study.populations import Population
from spatialnb.study.registration import registration
from spatialnb.study.robustness import VARIATIONS, margins

STATIC = Path(__file__).parents[1] / "book" / "_static"
SCRIPTS = [STATIC / "vendor" / "jstat.min.js", STATIC / "ledger_core.js"]
GRID = [
    {"edition": edition, "margin": margin, "alpha": alpha, "correction": correction, "seeds": seeds}
    for edition, (margin, alpha), correction, seeds in itertools.product(
        (1, 2),
        ((None, 0.05), (0.25, 0.01), (1.0, 0.1), (2.0, 0.001)),
        ("none", "chapter", "ledger", "fdr"),
        (None, (0, 1, 2), tuple(range(10)), (3, 4, 8, 9, 12, 13, 19)),
    )
]


class Page:
    """The script, with the data that a page gives it."""

    def __init__(self, chapters: list[list[Case]]) -> None:
        self._opened = mini_racer()  # closed with the test's process
        self._engine = self._opened.__enter__()
        self._engine.eval("var window = this, self = this;")
        for script in SCRIPTS:
            self._engine.eval(script.read_text("utf-8"))
        self._engine.eval(f"const DATA = {json.dumps(ledger_data(chapters))};")

    def call(self, text: str) -> Any:
        return json.loads(self._engine.eval(f"JSON.stringify({text})"))

    def judge(self, settings: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            found
            for chapter in self.call(f"ledgerCore.judge(DATA, {json.dumps(settings)})")
            for found in chapter
        ]


@pytest.fixture(scope="module")
def chapters() -> list[list[Case]]:
    return studies.cases(studies.part("I") + studies.part("II"))


@pytest.fixture(scope="module")
def page(chapters: list[list[Case]]) -> Page:
    return Page(chapters)


def flat(findings: list[list[Finding]]) -> list[Finding]:
    return list(itertools.chain.from_iterable(findings))


def same(theirs: dict[str, Any], ours: Finding) -> bool:
    """Verdict, mark and bounds; bounds to what a table shows and far beyond."""
    if (theirs["chapter"], theirs["key"]) != (ours.claim.chapter, ours.claim.key):
        return False
    if theirs["verdict"] != ours.verdict:
        return False
    if ours.verdict == "not judged":
        return True
    bounds = theirs["bounds"]
    pairs = [
        (bounds["estimate"], ours.interval.estimate),
        (bounds["low"], ours.interval.low),
        (bounds["high"], ours.interval.high),
        (theirs["single"]["low"], ours.estimate.low),
        (theirs["single"]["high"], ours.estimate.high),
    ]
    if (theirs["size"], theirs["wins"]) != (ours.size, ours.wins and pytest.approx(ours.wins)):
        return False
    return theirs["small"] == ours.small and all(
        math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7) for one, other in pairs
    )


@pytest.mark.parametrize("settings", GRID[:: len(GRID) // 16], ids=str)
def test_the_page_judges_as_the_package_does(
    settings: dict[str, Any], page: Page, chapters: list[list[Case]]
) -> None:
    check(settings, page, chapters)


@pytest.mark.slow
def test_the_page_judges_as_the_package_does_over_the_whole_grid(
    page: Page, chapters: list[list[Case]]
) -> None:
    for settings in GRID:
        check(settings, page, chapters)


def check(settings: dict[str, Any], page: Page, chapters: list[list[Case]]) -> None:
    ours = flat(judge_cases(chapters, Settings(**settings)))
    theirs = page.judge(settings)
    assert len(theirs) == len(ours) > 150
    different = [
        (one.claim.chapter, one.claim.key, one.verdict, other["verdict"])
        for one, other in zip(ours, theirs, strict=True)
        if not same(other, one)
    ]
    assert not different


@pytest.mark.parametrize("population", ["images", "both"])
@pytest.mark.parametrize("seeds", [None, (0, 2, 3)])
def test_populations_of_images_are_judged_on_any_choice_of_seeds(
    population: str, seeds: tuple[int, ...] | None
) -> None:
    chance = np.random.default_rng(0)
    hard = chance.random(400)
    right = {"a": 0.60, "b": 0.55, "c": 0.56}
    answers = {
        (arm, seed): hard + chance.normal(0.0, 0.05, 400) < share
        for arm, share in right.items()
        for seed in range(5)
    }

    def hits(arm: str, seed: int) -> NDArray[np.bool_]:
        return np.asarray(answers[arm, seed])

    def samples(arm: str, metric: str) -> dict[int, float]:
        return {seed: 100.0 * float(hits(arm, seed).mean()) for seed in range(5)}

    claims = [
        Claim(chapter="v01", key="ab", words="A.", rule="beats", arm="a", against="b"),
        Claim(chapter="v01", key="bc", words="B.", rule="equals", arm="b", against="c"),
        Claim(
            chapter="v01", key="best", words="C.", rule="beats", arm="a", against=("b", "c"),
            each=True, best_of=True,
        ),
        Claim(
            chapter="v01", key="early", words="D.", rule="beats", arm="a", against="b",
            metric="accuracy@2",
        ),
    ]  # fmt: skip
    cases = [[case(claim, samples, hits) for claim in claims]]
    settings = Settings(population=population, seeds=seeds)  # type: ignore[arg-type]
    ours = flat(judge_cases(cases, settings))
    theirs = Page(cases).judge({"population": population, "seeds": seeds})
    assert all(same(other, one) for one, other in zip(ours, theirs, strict=True))
    assert ours[-1].verdict == "not judged"


def test_settings_go_through_an_address_and_back(page: Page) -> None:
    settings = {
        "edition": 1,
        "margin": 0.25,
        "alpha": 0.01,
        "correction": "fdr",
        "seeds": [0, 1, 2, 7],
        "population": "both",
    }
    query = page.call(f"ledgerCore.toQuery({json.dumps(settings)})")
    assert query == "edition=1&margin=0.25&alpha=0.01&correction=fdr&seeds=0-2,7&population=both"
    assert page.call(f"ledgerCore.fromQuery({json.dumps(query)})") == settings
    assert page.call("ledgerCore.toQuery(ledgerCore.PUBLISHED)") == ""


@pytest.mark.parametrize(
    "query",
    ["margin=-1", "alpha=2", "correction=some", "seeds=0", "seeds=a", "edition=3", "other=1", ""],
)
def test_what_an_address_cannot_ask_for_is_the_published_setting(query: str, page: Page) -> None:
    found = page.call(f"ledgerCore.fromQuery({json.dumps(query)})")
    assert found == page.call("ledgerCore.PUBLISHED")


def test_the_controls_offer_the_settings_and_carry_the_data(
    page: Page, chapters: list[list[Case]]
) -> None:
    shown = live_ledger({"Part I": chapters[:2]})
    soup = BeautifulSoup(shown.html, "html.parser")
    names = {field["name"] for field in soup.select("form [name]")}
    assert names == {*Settings.__dataclass_fields__, *page.call("ledgerCore.FILTERS")}
    for name, known in (("correction", Correction), ("population", Population)):
        options = [option["value"] for option in soup.select(f"select[name={name}] option")]
        assert options == list(get_args(known))
    link = soup.select_one("#live-ledger-data")
    assert link is not None
    script = base64.b64decode(str(link["href"]).partition("base64,")[2]).decode()
    with mini_racer() as engine:
        engine.eval(f"var window = this; {script}")
        data = json.loads(engine.eval("JSON.stringify(LEDGER)"))
    about = data[0].pop("about")
    assert data == [{"title": "Part I", "chapters": ledger_data(chapters[:2])}]
    assert [one["id"] for one in about] == [
        f"{one.claim.chapter}/{one.claim.key}" for chapter in chapters[:2] for one in chapter
    ]


def test_a_card_knows_the_records_and_the_registration_of_its_claim() -> None:
    results = studies.get("v01").recorded()
    assert results is not None
    data = ledger_about(results.cases()[0], results, {"v01": "v01_linear_or_none"})
    runs = [record.id for arm in ("linear", "none") for record in results.records[arm].values()]
    assert set(data["records"]) <= set(runs)
    assert data["count"] == len(runs)
    known = registration(results.study.claims[0])
    assert known is not None
    assert data["registration"] == known.sentence
    assert data["list"] == "v01_linear_or_none.html#records-accuracy"


def test_the_margin_that_flips_a_verdict_is_the_packages(
    page: Page, chapters: list[list[Case]]
) -> None:
    wrong = []
    for number, chapter in enumerate(chapters):
        for one in chapter:
            low, high = margins(one, chapters, number)
            ours = nearest(one.claim.margin, low, high)
            claim = f"{json.dumps(one.claim.chapter)}, {json.dumps(one.claim.key)}"
            theirs = page.call(f"ledgerCore.flipMargin(DATA, {claim})")
            if theirs != (ours and pytest.approx(ours, rel=1e-6)):
                wrong.append((one.claim.key, theirs, ours))
    assert not wrong


def nearest(own: float, low: float | None, high: float | None) -> float | None:
    ends = [end for end in (low, high) if end is not None and 0.0 < end < math.inf]
    return min(ends, key=lambda end: abs(math.log(end / own)), default=None)


@pytest.mark.parametrize("how", [how for how in FLIPS if how])
def test_a_filter_shows_the_claims_that_a_variation_flips(
    how: str, page: Page, chapters: list[list[Case]]
) -> None:
    settings = VARIATIONS[FLIPS[how]]
    changed = [
        f"{one.claim.chapter}/{one.claim.key}"
        for one, other in zip(
            flat(verdicts_only(chapters, Settings())),
            flat(verdicts_only(chapters, settings)),
            strict=True,
        )
        if one.verdict != other.verdict
    ]
    assert page.call(f"ledgerCore.flipped([DATA], {json.dumps(how)})") == changed


def test_every_variation_of_the_robustness_page_is_a_filter() -> None:
    assert set(FLIPS.values()) >= set(VARIATIONS)


def test_a_card_has_the_values_that_the_settings_choose(
    page: Page, chapters: list[list[Case]]
) -> None:
    claim, case = "DATA[0][0]", chapters[0][0]
    part = case.comparisons[0]
    (strip,) = page.call(f"ledgerCore.strips({claim}, {{seeds: [0, 1, 2]}})")
    assert strip["seeds"] == ["0", "1", "2"]
    assert strip["values"] == pytest.approx([part.values[seed] for seed in range(3)], rel=1e-11)
    rows = list(csv.DictReader(io.StringIO(page.call(f"ledgerCore.csv({claim})"))))
    assert [float(row["difference"]) for row in rows] == pytest.approx(list(part.values.values()))
    assert {row["comparison"] for row in rows} == {part.name}


def test_filters_go_through_an_address_and_back(page: Page) -> None:
    filters = {"chapter": "v05", "show": "holds", "flips": "margin:1", "find": "a & b = 5 %"}
    query = page.call(f"ledgerCore.toQuery(ledgerCore.PUBLISHED, {json.dumps(filters)})")
    assert query == "chapter=v05&show=holds&flips=margin:1&find=a%20%26%20b%20%3D%205%20%25"
    assert page.call(f"ledgerCore.filtersFromQuery({json.dumps(query)})") == filters
    assert page.call('ledgerCore.filtersFromQuery("find=%E0%A4%A")') == page.call(
        "ledgerCore.FILTERS"
    )


def test_the_data_are_the_same_bytes_whenever_they_are_written(chapters: list[list[Case]]) -> None:
    assert live_ledger({"Part I": chapters}).html == live_ledger({"Part I": chapters}).html


def test_the_data_of_all_claims_are_small_enough_for_a_page(chapters: list[list[Case]]) -> None:
    assert len(json.dumps(ledger_data(chapters))) < 300_000
