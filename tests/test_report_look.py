"""What stands around the numbers: cells, small curves, the box at a chapter's head, records."""

import base64
import json
import math
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from synthetic import HOSTILE, results, study

from spatialnb import report
from spatialnb.report.html_tables import Cell, as_html
from spatialnb.report.sparklines import sparks
from spatialnb.study.claims import Claim


def table_of(html):
    return ET.fromstring(re.search(r"<table.*?</table>", html, re.DOTALL).group(0))


def files_of(html, kind):
    pattern = rf'download="([^"]+)" href="data:{kind};charset=utf-8;base64,([^"]+)"'
    return {name: base64.b64decode(data).decode() for name, data in re.findall(pattern, html)}


# ── Cells ───────────────────────────────────────────────────────────────────────────────────────


def test_a_table_escapes_every_text_and_keeps_the_markup_of_a_cell():
    data = pd.DataFrame({HOSTILE: [Cell(HOSTILE, below=HOSTILE, sort=HOSTILE)]}, index=[HOSTILE])
    html = as_html(data, HOSTILE, corner=HOSTILE)
    assert "<img" not in html
    # Two titles, two heads, a row's name and its order, two of the cell, which is its own order.
    assert html.count("&lt;img") == 8
    assert "<b>1</b>" in as_html(pd.DataFrame({"a": [Cell("1", markup="<b>1</b>")]}), "t")


def test_what_a_column_is_sorted_by_is_a_number_and_empty_where_there_is_none():
    data = pd.DataFrame({"a": [Cell("−1.5", sort=-1.5), Cell("–", sort=math.nan), Cell("7")]})
    cells = list(table_of(as_html(data, "t")).iter("td"))[1:]  # the first is the corner
    assert [cell.get("data-sort") for cell in cells] == ["-1.5", "", None]


def test_a_row_is_sorted_by_the_numbers_in_its_name_and_a_dash_comes_last():
    data = pd.DataFrame({"a": [Cell("–")] * 3}, index=["k 3 → 100", "k 3 → 15", "none"])
    table = table_of(as_html(data, "t"))
    assert "asc" in table.get("class").split()
    names = [cell for cell in table.iter("th") if cell.get("scope") == "row"]
    first, second, third = (cell.get("data-sort") for cell in names)
    assert second < first
    assert third is None
    assert [cell.get("data-sort") for cell in list(table.iter("td"))[1:]] == [""] * 3


def test_a_head_of_two_lines_is_one_column():
    (corner, head) = next(table_of(as_html(pd.DataFrame({"a | b": ["c"]}), "t")).iter("tr"))
    assert corner.get("class") == "no-sort"
    assert "".join(head.itertext()) == "ab"


# ── Small curves ────────────────────────────────────────────────────────────────────────────────


def test_small_curves_share_one_scale_and_have_the_baseline_behind_them():
    found = results()
    small = sparks(found, "accuracy")
    assert set(small) == set(found.arms)
    lines = {arm: re.findall(r'points="([^"]+)"', cell.markup) for arm, cell in small.items()}
    assert len(lines["none"]) == 1
    assert lines["linear"][0] == lines["none"][0]
    heights = [float(p.split(",")[1]) for line in lines.values() for p in line[-1].split()]
    assert (min(heights), max(heights)) == (3.0, 23.0)  # the whole height, less its edges


def test_small_curves_say_where_they_begin_and_end():
    found = results()
    ends = [
        sum(found.samples("linear", f"accuracy@{epoch}").values()) / 6
        for epoch in (0, found.epochs - 1)
    ]
    assert sparks(found, "accuracy")["linear"].text == f"{ends[0]:.2f} to {ends[1]:.2f}"


@pytest.mark.parametrize("metric", ["accuracy@2", "similarity", "epochs_to@45", "cap_share"])
def test_what_is_not_recorded_by_epoch_has_no_small_curve(metric):
    assert sparks(results(), metric) == {}
    assert "by epoch" not in report.table(results(), metric).html.lower()


# ── Files beside a table ────────────────────────────────────────────────────────────────────────


def test_a_table_comes_as_json_with_the_numbers_of_its_csv():
    found = results()
    rows = json.loads(files_of(report.table(found).html, "application/json")["v01-accuracy.json"])
    frame = report.frame(found)
    assert [row["arm"] for row in rows] == list(frame["arm"])
    assert [row["mean"] for row in rows] == pytest.approx(list(frame["mean"]), rel=1e-12)
    assert rows[0]["difference"] is None  # of the baseline: JSON has no NaN


def test_the_records_behind_a_table_are_listed_with_seed_value_commit_and_link():
    found = results(failed=[("linear", 3)])
    html = report.table(found).html
    folded = html[html.index("<details>") :]
    rows = [["".join(cell.itertext()) for cell in row] for row in table_of(folded).iter("tr")]
    assert rows[0] == ["arm", "seed", "test accuracy", "seconds", "commit", "record"]
    assert len(rows) == 1 + 3 * 6
    failed = next(row for row in rows if row[:2] == ["linear", "3"])
    assert failed[2] == "–"
    assert failed[5] == found.records["linear"][3].id
    (text,) = [
        text for name, text in files_of(html, "application/json").items() if "records" in name
    ]
    listed = json.loads(text)
    assert sum(row["failed"] for row in listed) == 1
    assert {row["record"] for row in listed} == {row[5] for row in rows[1:]}


# ── The box at the head of a chapter ────────────────────────────────────────────────────────────


def test_the_box_counts_the_verdicts_and_says_what_they_were_made_from():
    shown = report.glance(results())
    verdicts = [finding.verdict for finding in results().findings()]
    for verdict in set(verdicts):
        said = "hold" if verdict == "holds" and verdicts.count(verdict) > 1 else verdict
        assert f"{verdicts.count(verdict)} {said}" in shown.text
    for claim in study().claims:
        assert claim.words in shown.html
    assert "18 runs" in shown.html
    assert "mnist, 5 epochs, 6 seeds (0 to 5)" in shown.html
    assert "Warning" not in shown.html


def test_the_box_says_which_arm_is_taken_from_which():
    claims = [
        Claim(chapter="v01", key=key, words=key, rule="equals", arm=arm, against=against, **more)
        for key, arm, against, more in (
            ("one", "none", "linear", {}),
            ("means", ("none", "linear"), "linear", {}),
            ("metrics", "none", "none", {"against_metric": "train_loss"}),
            ("value", "none", None, {}),
        )
    ]
    lines = report.glance(results(study(claims=claims))).text.splitlines()[1:5]
    pairs = [re.search(r"points([^(]*) \(n = 6\)", line).group(1) for line in lines]
    assert pairs == [": none minus linear", ": mean of none and linear minus linear", "", ""]


def test_the_box_of_a_quick_edition_judges_nothing_and_warns():
    shown = report.glance(results(dataset="quick-digits"))
    assert shown.html.index("admonition warning") < shown.html.index('class="glance"')
    assert "2 not judged" in shown.text
    assert "✓" not in shown.html


def test_a_chapter_without_claims_has_a_box_that_says_so():
    assert "makes no claim" in report.glance(results(study(claims=()))).html
