"""An experiment of your own, from a CSV and a TOML file: numbers, verdicts and clear errors."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scipy import stats

from spatialnb import report
from spatialnb.commands.cli import main
from spatialnb.study import experiment
from spatialnb.study.claims import Claim
from spatialnb.study.judging import Settings

EXAMPLE = Path(__file__).parents[1] / "book" / "judge"

RESULTS = """\
seed,arm,accuracy,wall time
0,new,90.5,3.0
1,new,91.0,3.2
2,new,90.0,3.1
3,new,91.2,2.9
4,new,90.8,3.0
0,old,90.0,4.0
1,old,90.3,4.1
2,old,89.6,4.2
3,old,90.4,4.1
4,old,90.3,3.9
"""
DIFFERENCES = (0.5, 0.7, 0.4, 0.8, 0.5)
CLAIM = {"key": "new-wins", "rule": "beats", "arm": "new", "against": "old", "margin": 0.1}


def toml(*claims: dict[str, Any]) -> str:
    tables = [
        "\n".join(f"{name} = {json.dumps(value)}" for name, value in c.items()) for c in claims
    ]
    return "".join(f"[[claim]]\n{table}\n" for table in tables)


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """The command on these files."""

    def call(results: str | bytes, claims: str, *options: str) -> Result:
        texts = {"results.csv": results, "claims.toml": claims}
        for name, text in texts.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner().invoke(
            main, ["judge", *(str(tmp_path / name) for name in texts), *options]
        )

    return call


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


# ── Verdicts ────────────────────────────────────────────────────────────────────────────────────


def test_a_metric_of_any_name_is_judged_with_scipys_own_numbers(judged: Any) -> None:
    claims = toml(
        {**CLAIM, "metric": "accuracy", "unit": "points"},
        {**CLAIM, "key": "faster", "metric": "wall time", "arm": "old", "against": "new"},
    )
    first, second = rows(judged(RESULTS, claims, "--json"))
    test = stats.ttest_1samp(DIFFERENCES, 0.0)
    assert first["estimate"] == pytest.approx(0.58)
    assert (first["low"], first["high"]) == pytest.approx(test.confidence_interval(0.95))
    assert first["p"] == pytest.approx(test.pvalue)
    assert first["p_corrected"] == pytest.approx(test.pvalue)  # the greater of two, by Holm
    assert (first["verdict"], first["n"], first["wins"]) == ("holds", 5, 1.0)
    assert (second["verdict"], second["claim"]) == ("holds", "faster")


def test_equality_and_noninferiority_are_one_sided_tests(judged: Any) -> None:
    base = {**CLAIM, "metric": "accuracy", "margin": 1.0}
    claims = toml({**base, "rule": "equals"}, {**base, "key": "no-worse", "rule": "at_least"})
    equal, no_worse = rows(judged(RESULTS, claims, "--json"))
    below = stats.ttest_1samp(DIFFERENCES, 1.0, alternative="less").pvalue
    above = stats.ttest_1samp(DIFFERENCES, -1.0, alternative="greater").pvalue
    assert equal["p"] == pytest.approx(max(below, above))
    assert no_worse["p"] == pytest.approx(above)
    assert (equal["verdict"], no_worse["verdict"]) == ("holds", "holds")


def test_claims_of_one_chapter_are_corrected_together_and_others_by_themselves(judged: Any) -> None:
    two = [{**CLAIM, "metric": "accuracy"}, {**CLAIM, "key": "again", "metric": "accuracy"}]
    apart = [{**one, "chapter": one["key"]} for one in two]
    assert [row["level"] for row in rows(judged(RESULTS, toml(*two), "--json"))] == [0.975, 0.95]
    for options, level in (((), 0.95), (("--correction", "ledger"), 0.975)):
        found = rows(judged(RESULTS, toml(*apart), "--json", *options))
        assert found[0]["level"] == pytest.approx(level)


def test_the_settings_are_those_of_the_ledger(judged: Any) -> None:
    claims = toml({**CLAIM, "rule": "equals", "metric": "accuracy", "unit": "points"})
    (row,) = rows(judged(RESULTS, claims, "--json"))
    assert row["verdict"] == "contradicted"
    (row,) = rows(judged(RESULTS, claims, "--json", "--margin", "2"))
    assert (row["verdict"], row["margin"]) == ("holds", 2.0)
    (row,) = rows(judged(RESULTS, claims, "--json", "--seeds", "0,2", "--alpha", "0.2"))
    assert (row["n"], row["few_seeds"], row["level"]) == (2, True, 0.8)
    assert "first edition" not in judged(RESULTS, claims, "--edition", "1").output


def test_an_empty_cell_leaves_its_seed_out_and_the_reason_names_it(judged: Any) -> None:
    text = RESULTS.replace("3,new,91.2", "3,new,")
    (row,) = rows(judged(text, toml({**CLAIM, "metric": "accuracy"}), "--json"))
    assert row["n"] == 4
    assert "left out: 3" in row["reason"]


def test_tables_for_terminals_pages_and_programs_hold_the_same(judged: Any) -> None:
    claims = toml({**CLAIM, "metric": "accuracy", "unit": "points", "words": "New <b>wins</b>."})
    text = judged(RESULTS, claims).output
    p = stats.ttest_1samp(DIFFERENCES, 0.0).pvalue
    assert text.splitlines() == [
        "holds         New <b>wins</b>.",
        f"              +0.58 [+0.38, +0.78] points, n = 5, p = {p:.4f}",
        "              the interval lies above 0",
        "1 holds",
    ]
    (row,) = rows(judged(RESULTS, claims, "--json"))
    (cells,) = csv.DictReader(io.StringIO(judged(RESULTS, claims, "--csv").output))
    assert list(cells) == list(row)
    assert float(cells["estimate"]) == row["estimate"]
    claim = Claim(chapter="x", words=row["claim"], metric="m", **CLAIM)
    measured = experiment.Measured(
        source="made",
        metrics=("m",),
        arms=("new", "old"),
        values={
            ("new", "m"): dict(enumerate(DIFFERENCES)),
            ("old", "m"): dict.fromkeys(range(5), 0),
        },
    )
    shown = report.judged(experiment.findings([claim], measured))
    assert "&lt;b&gt;" in shown.html
    assert "<b>" not in shown.html
    assert "[+0.38, +0.78]" in shown.html


@pytest.mark.parametrize(("seeds", "warned"), [("0-4", False), ("0-3", True)])
def test_a_verdict_on_fewer_than_five_seeds_warns(seeds: str, warned: bool, judged: Any) -> None:
    claims = toml({**CLAIM, "metric": "accuracy"})
    said = judged(RESULTS, claims, "--seeds", seeds).output
    assert ("1 verdict rests on fewer than 5 seeds or pairs (n = 4)" in said) is warned


@pytest.mark.parametrize(
    ("margin", "shown"), [(50.0, "+1234"), (0.5, "+1234.50"), (0.002, "+1234.5000")]
)
def test_decimals_are_those_of_the_margin(margin: float, shown: str, judged: Any) -> None:
    text = "seed,arm,m\n0,a,1234.5\n1,a,1234.5\n0,b,0\n1,b,0\n"
    claim = {"key": "x", "rule": "beats", "arm": "a", "against": "b", "margin": margin}
    assert f" {shown} [" in judged(text, toml(claim)).output


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + RESULTS,
        RESULTS.replace("\n", "\r\n"),
        RESULTS.replace(",", " , "),
        RESULTS.replace("\n", "\n\n"),
        RESULTS.replace("\n0,", "\n0.0,"),
    ],
    ids=["byte order mark", "Windows", "blanks", "empty lines", "seeds as 0.0"],
)
def test_a_csv_may_be_written_in_many_ways(text: str, judged: Any) -> None:
    claims = toml({**CLAIM, "metric": "wall time"})
    assert judged(text, claims).output == judged(RESULTS, claims).output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "results.csv is empty: expected a header such as seed,arm,accuracy"),
        ("seed,arm,accuracy\n", "results.csv: no rows below the header"),
        ("arm,accuracy\na,1\n", "results.csv has no column 'seed'; it has arm, accuracy"),
        ("seed,accuracy\n0,1\n", "results.csv has no column 'arm'; it has seed, accuracy"),
        ("seed,arm\n0,a\n", "expected at least one metric column besides seed and arm"),
        ("seed;arm;accuracy\n0;a;1\n", "columns separated by commas"),
        ("seed,arm,m,m\n0,a,1,2\n", "two columns are named 'm'; rename one"),
        ("seed,arm,m\n0,a,1\n1,a\n", "line 3: expected 3 cells as in the header, got 2"),
        ("seed,arm,m\n0,a,1\n0,b,1\n0,a,2\n", "line 4: seed 0 of arm 'a' is already in line 2"),
        ("seed,arm,m\n0,a,high\n", "line 2, m: expected a number, got 'high'"),
        ("seed,arm,m\n0,a,97.5%\n", "line 2, m: expected a number, got '97.5%'"),
        ("seed,arm,m\n0,a,1_000\n", "line 2, m: expected a number, got '1_000'"),
        ('seed,arm,m\n0,a,"97,5"\n', "line 2, m: expected a number, got '97,5'"),
        (
            "seed,arm,m\n0,a,nan\n",
            "line 2, m: expected a finite number or an empty cell, got 'nan'",
        ),
        ("seed,arm,m\none,a,1\n", "line 2, seed: expected a whole number of at least 0, got 'one'"),
        ("seed,arm,m\n-1,a,1\n", "line 2, seed: expected a whole number of at least 0, got '-1'"),
        ("seed,arm,m\n0,,1\n", "line 2: the arm is empty"),
        (b"seed,arm,m\n0,\xff,1\n", "results.csv is not a CSV file in UTF-8"),
        ('seed,arm,m\n0,"a,1\n', "results.csv is not a CSV file in UTF-8: unexpected end of data"),
    ],
)
def test_results_that_are_none_are_refused_in_a_sentence(
    text: str | bytes, message: str, judged: Any
) -> None:
    result = judged(text, toml(CLAIM))
    assert result.exit_code == 1
    assert message in result.output
    assert isinstance(result.exception, SystemExit)


MARGINLESS = {name: value for name, value in CLAIM.items() if name != "margin"}


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("", "claims.toml contains no claim; start each with a line [[claim]]"),
        ("[claim]\nkey = 'x'\n", "start each claim with [[claim]], in double brackets"),
        ("[[claims]]\nkey = 'x'\n", "unknown table 'claims'; known: claim. Did you mean 'claim'?"),
        ("key = \n", "claims.toml is not a TOML file"),
        ({"marign": 1}, "claim 1 (new-wins): unknown key 'marign'; known: "),
        ({"margin": "small"}, "claim 1 (new-wins), margin: expected a number, got 'small'"),
        ({"margin": True}, "claim 1 (new-wins), margin: expected a number, got True"),
        ({"margin": 0}, "expected a margin > 0, got 0"),
        ({"each": 1}, "each: expected true or false, got 1"),
        ({"arm": []}, "arm: expected an arm, or a list of arms, got []"),
        ({"arm": "nwe"}, "unknown arm 'nwe'; known: new, old. Did you mean 'new'?"),
        ({"against": ["old", "odl"]}, "unknown arm 'odl'"),
        ({"metric": "acuracy"}, "unknown metric 'acuracy'; known: accuracy, wall time"),
        ({"rule": "wins"}, "unknown rule 'wins'; known: beats, equals, at_least, between"),
        ({"rule": "between"}, "'between' needs low <= high"),
        ({"key": "New wins"}, "expected a key of lower-case words joined by '-'"),
        ({"since": 2}, "unknown key 'since'"),
    ],
    ids=str,
)
def test_claims_that_are_none_are_refused_in_a_sentence(
    claims: str | dict[str, Any], message: str, judged: Any
) -> None:
    if isinstance(claims, dict):
        claims = toml({**CLAIM, "metric": "accuracy", **claims})
    result = judged(RESULTS, claims)
    assert result.exit_code == 1
    assert message in result.output
    assert isinstance(result.exception, SystemExit)


def test_what_cannot_be_guessed_is_asked_for(judged: Any) -> None:
    for name in ("key", "rule", "arm"):
        rest = {key: value for key, value in CLAIM.items() if key != name}
        assert f" has no {name}" in judged(RESULTS, toml({**rest, "metric": "accuracy"})).output
    said = judged(RESULTS, toml(CLAIM)).output
    assert "has no metric; choose one of results.csv: accuracy, wall time" in said
    said = judged(RESULTS, toml({**MARGINLESS, "metric": "accuracy"})).output
    assert "has no margin: set the difference in accuracy that does not matter" in said
    two = toml({**CLAIM, "metric": "accuracy"}, {**CLAIM, "metric": "wall time"})
    assert "two claims have the key 'new-wins'; rename one" in judged(RESULTS, two).output


def test_options_that_make_no_sense_are_refused(judged: Any) -> None:
    one = {**CLAIM, "metric": "accuracy", "unit": "points"}
    claims = toml(one, {**one, "key": "faster", "metric": "wall time", "unit": "s"})
    said = judged(RESULTS, claims, "--margin", "1").output
    assert "the claims are in different units (points, s)" in said
    assert "seeds 7, 8: not in results.csv, which has 0 to 4" in (
        judged(RESULTS, claims, "--seeds", "0,7,8").output
    )
    assert "exclude each other" in judged(RESULTS, claims, "--json", "--csv").output
    assert "edition: expected 1 or 2" in judged(RESULTS, claims, "--edition", "3").output
    assert "seeds: a test needs at least two" in judged(RESULTS, claims, "--seeds", "1").output


def test_no_share_is_taken_of_nothing(judged: Any) -> None:
    claim = {"key": "x", "rule": "between", "arm": "a", "against": "b", "low": 0, "high": 1}
    said = judged(
        "seed,arm,m\n0,a,1\n1,a,1\n0,b,0\n1,b,1\n", toml({**claim, "as_share": True})
    ).output
    assert "cannot take a percentage of 0, the value of b at 0; leave out as_share" in said


# ── The example of the book ─────────────────────────────────────────────────────────────────────


def test_the_books_example_is_what_its_script_measures() -> None:
    spec = importlib.util.spec_from_file_location("make_results", EXAMPLE / "make_results.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    measured = experiment.read_results(EXAMPLE / "results.csv")
    assert measured.arms == tuple(script.ARMS)
    assert measured.seeds == tuple(range(10))
    row = script.row("extra trees", 3)
    for metric in measured.metrics:  # another scikit-learn may draw other trees
        stored = measured.samples("extra trees", metric)[3]
        assert float(row[metric]) == pytest.approx(stored, rel=0.05)


def test_the_books_example_has_the_verdicts_that_its_page_tells() -> None:
    measured = experiment.read_results(EXAMPLE / "results.csv")
    claims = experiment.read_claims(EXAMPLE / "claims.toml", measured)
    found = experiment.findings(claims, measured, Settings())
    assert [one.verdict for one in found] == ["holds", "holds", "holds", "contradicted"]
    assert found[2].small
