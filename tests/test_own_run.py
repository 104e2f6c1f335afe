"""The page's comparison of a reader's own run against the package's own: `spatialnb compare`.

The script runs in V8, the engine of Chromium and of Node.js.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from py_mini_racer import mini_racer
from synthetic import results, study
from test_rerun import moved

from spatialnb import report
from spatialnb.report.html_tables import as_json
from spatialnb.study.results import Results

STATIC = Path(__file__).parents[1] / "book" / "_static"
SCRIPTS = ("vendor/jstat.min.js", "ledger_core.js", "own_run_core.js")
ONE = study(pairs=False, claims=(), reported=(), metrics=("accuracy", "sparsity"))
TWO = study(claims=(), reported=(), metrics=("accuracy", "similarity"))
NEW = (10, 11, 12, 13, 14, 15)


def run(call: str) -> Any:
    with mini_racer() as engine:
        engine.eval("var window = this, self = this;")
        for script in SCRIPTS:
            engine.eval((STATIC / script).read_text("utf-8"))
        return json.loads(engine.eval(f"JSON.stringify({call})"))


def about(published: Results, metric: str) -> dict[str, Any]:
    soup = BeautifulSoup(report.table(published, metric).html, "html.parser")
    place = soup.select_one("[data-own-run]")
    assert place is not None
    found: dict[str, Any] = json.loads(str(place["data-own-run"]))
    return found


def on_the_page(published: Results, metric: str) -> dict[str, dict[str, float]]:
    """The published values by arm and seed, as the page reads them: from the records' table."""
    soup = BeautifulSoup(report.table(published, metric).html, "html.parser")
    arms = about(published, metric)["arms"]
    found: dict[str, dict[str, float]] = {arm: {} for arm in arms.values()}
    for row in soup.select("table.behind tbody tr"):
        label, seed, value = row.select("th, td")[:3]
        sort = str(value.get("data-sort", value.get_text()))
        if sort:
            found[arms[label.get_text()]][seed.get_text()] = float(sort)
    return found


def read(text: str, published: Results, metric: str = "accuracy") -> Any:
    told = json.dumps(about(published, metric))
    return run(f"ownRun.read({json.dumps(text)}, 'mine.csv', {told})")


def compared(text: str, published: Results, metric: str) -> list[dict[str, Any]]:
    arms = ", ".join(
        f"[{json.dumps(arm)}, new Map(Object.entries({json.dumps(by_seed)}))]"
        for arm, by_seed in on_the_page(published, metric).items()
    )
    told = json.dumps(about(published, metric))
    rows = f"ownRun.read({json.dumps(text)}, 'mine', {told}).rows"
    found: list[dict[str, Any]] = run(f"ownRun.compare({rows}, new Map([{arms}]), {told})")
    return found


def same(theirs: dict[str, float | None], ours: Any) -> bool:
    def close(one: float | None, other: float) -> bool:
        if one is None:  # NaN in JSON
            return math.isnan(other)
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)

    return theirs["n"] == ours.n and all(
        close(theirs[name], getattr(ours, name)) for name in ("estimate", "low", "high")
    )


def reruns() -> dict[str, Results]:
    found = results(ONE)
    few = dataclasses.replace(
        moved(found, 0.5, NEW),
        records={
            arm: dict(list(kept.items())[:1])
            for arm, kept in moved(found, 0.5, NEW).records.items()
        },
    )
    part = {
        arm: {**found.records[arm], **kept} for arm, kept in moved(found, 0.3, NEW).records.items()
    }
    return {
        "the same": found,
        "a little better": moved(found, 0.1),
        "much worse": moved(found, -3.0),
        "near the margin": moved(found, 0.5),
        "new seeds": moved(found, 0.1, NEW),
        "new seeds, much better": moved(found, 3.0, NEW),
        "new seeds, near the margin": moved(found, 0.5, NEW),
        "one new seed": few,
        "some seeds new": dataclasses.replace(found, records=part),
        "other epochs": dataclasses.replace(found, epochs=30),
        "other settings": dataclasses.replace(found, settings={"lr": 0.001, "epochs": 5}),
        "other data": dataclasses.replace(found, dataset="cifar10"),
    }


@pytest.mark.parametrize("metric", ["accuracy", "sparsity"])
@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("name", list(reruns()))
def test_the_page_compares_as_the_package_does(name: str, form: str, metric: str) -> None:
    rerun, published = reruns()[name], results(ONE)
    frame = report.runs_frame(rerun)
    text = frame.to_csv(index=False) if form == "csv" else as_json(frame)
    ours = [row for row in report.compared(rerun, published) if row.metric == metric]
    theirs = compared(text, published, metric)
    assert [(one["arm"], one["outcome"], one["reason"]) for one in theirs] == [
        (row.arm, row.outcome, row.reason) for row in ours
    ]
    for one, row in zip(theirs, ours, strict=True):
        for part in ("rerun", "published", "difference"):
            assert same(one[part], getattr(row, part)), (row.arm, part)


def test_pairs_of_seeds_are_compared_by_pair() -> None:
    published = results(TWO)
    text = report.runs_frame(published).to_csv(index=False)
    found = compared(text, published, "similarity")
    assert {row["outcome"] for row in found} == {"identical"}
    assert found[0]["rerun"]["n"] == len(next(iter(published.pairs.values())))


def test_an_arm_of_ones_own_is_not_compared() -> None:
    published = results(ONE)
    frame = report.runs_frame(published)
    mine = frame.assign(arm=frame["arm"].replace("linear", 'mine, "mine"\nor yours'))
    rows = {row["arm"]: row for row in compared(mine.to_csv(index=False), published, "accuracy")}
    assert rows['mine, "mine"\nor yours']["reason"] == "an arm of your own"
    assert rows['mine, "mine"\nor yours']["outcome"] == "not comparable"


HEAD = "chapter,metric,dataset,epochs,settings,arm,seed,value\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "mine.csv is no table of runs: choose the v01-runs.csv or .json that `spatialnb run`"),
        ("\x89PNG\r\n\x1a\n", "mine.csv is no table of runs"),
        ("[1, 2]", "mine.csv is no table of runs"),
        ('{"a": ', "mine.csv is no table of runs"),
        ("chapter,arm,mean\nv01,none,1\n", "mine.csv holds means; choose v01-runs.csv, which has"),
        (HEAD + "c2,accuracy,mnist,5,,none,0,97\n", "mine.csv is of c2, and this table of v01."),
        (HEAD + "v01,sparsity,mnist,5,,none,0,97\n", "mine.csv has no test accuracy."),
        (HEAD + "v01,accuracy,mnist,5,,none,0,\n", "no number: arm none, seed 0."),
        (HEAD + "v01,accuracy,mnist,5,,none,0,inf\n", "no number: arm none, seed 0."),
        (HEAD + 2 * "v01,accuracy,mnist,5,,none,0,97\n", "mine.csv has arm none, seed 0 twice."),
    ],
)
def test_a_file_that_will_not_do_gets_one_sentence(text: str, problem: str) -> None:
    found = read(text, results(ONE))
    assert problem in found["problem"]
    assert "rows" not in found


def test_only_a_published_table_takes_a_run() -> None:
    published = results(ONE)
    other = dataclasses.replace(published, epochs=30)
    assert "data-own-run" in report.table(published).html
    assert "data-own-run" not in report.table(other).html
