import base64
import dataclasses
import io
import json
import math
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic import HOSTILE, failed_record, results, study

from spatialnb import report
from spatialnb.priors.kernels import Exponential, Linear, Shuffled
from spatialnb.report.formatting import bounds, number, seeds_text, slug, spread
from spatialnb.report.style import INK
from spatialnb.study.inference import Interval, mean_interval, paired_difference
from spatialnb.study.study import Reported


def csv_of(shown):
    """The file behind a table's link."""
    link = re.search(
        r'download="([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', shown.html
    )
    return link.group(1), pd.read_csv(io.BytesIO(base64.b64decode(link.group(2))))


def svg_of(shown):
    return ET.fromstring(re.search(r"<svg.*?</svg>", shown.html, re.DOTALL).group(0))


def test_the_frame_holds_the_statistics_of_every_arm():
    found = results()
    row = report.frame(found).set_index("arm").loc["linear"]
    ours = found.samples("linear", "accuracy")
    interval = mean_interval(list(ours.values()))
    difference = paired_difference(ours, found.samples("none", "accuracy"))
    assert (row["mean"], row["sd"], row["n"]) == (interval.estimate, interval.sd, 6)
    assert (row["difference_low"], row["difference_high"]) == (difference.low, difference.high)
    assert (row["reported"], row["reported_sd"]) == (97.56, 0.3)
    assert row["reported_difference"] == pytest.approx(-0.13, abs=1e-9)


def test_the_baseline_has_no_difference_to_itself():
    row = report.frame(results()).set_index("arm").loc["none"]
    assert math.isnan(row["difference"])


def test_an_arm_is_compared_with_the_one_that_its_study_names():
    named = {"inverse": "linear", "linear": "linear"}
    found = results(study(compared_with=named))
    rows = report.frame(found).set_index("arm")
    linear, inverse = (found.samples(arm, "accuracy") for arm in ("linear", "inverse"))
    expected = paired_difference(inverse, linear)
    assert rows.loc["inverse", "difference_low"] == expected.low
    assert rows.loc[["none", "linear"], "difference"].isna().all()
    shown = report.table(found)
    assert "from linear" in shown.text
    assert "or of the difference from the arm named there" in shown.text
    assert "minus none" not in shown.text
    with pytest.raises(ValueError, match="unknown arm 'gaussian'"):
        study(compared_with={"linear": "gaussian"})


def test_a_table_says_what_it_was_made_from():
    html = report.table(results()).html
    assert "Test accuracy (%): mnist, 5 epochs, 6 seeds (0 to 5)" in html
    assert "over n pairs of seeds" in report.table(results(), "similarity").html


def test_a_quick_table_says_that_it_decides_nothing():
    assert (
        "quick: small data, decides nothing" in report.table(results(dataset="quick-digits")).html
    )


def test_a_failed_run_lowers_n_and_is_named():
    shown = report.table(results(failed=[("linear", 3), ("linear", 5)]))
    assert "linear: failed at seeds 3, 5" in shown.html
    assert csv_of(shown)[1].set_index("arm").loc["linear", ["n", "failed"]].tolist() == [4, 2]


def test_a_failed_baseline_lowers_the_n_of_every_difference():
    shown = report.table(results(failed=[("none", 0)]))
    _, data = csv_of(shown)
    assert data.set_index("arm").loc["linear", ["n", "difference_n"]].tolist() == [6, 5]
    assert "n of differences" in shown.html


def test_an_arm_whose_every_run_failed_is_shown_as_failed():
    every = [("linear", seed) for seed in range(6)]
    found = results(failed=every)
    assert re.search(r"linear\s+97.56 ± 0.30\s+failed", report.table(found).text)
    assert report.curves(found)
    assert report.dots(found)
    assert report.numbers(found)["v01-linear-accuracy"] == "– (n = 0)"


def test_a_metric_that_no_arm_records_leaves_dashes():
    assert report.frame(results(), "cap_share")["n"].tolist() == [0, 0, 0]
    assert report.table(results(), "cap_share")


def test_one_seed_shows_an_estimate_without_spread():
    found = results(seeds=[0])
    assert report.frame(found)["sd"].isna().all()
    assert report.table(found)
    assert report.curves(found)
    assert report.dots(found)
    assert report.numbers(found)["v01-seeds"] == "1"


def test_the_csv_beside_a_table_is_the_frame():
    found = results()
    name, data = csv_of(report.table(found))
    assert name == "v01-accuracy.csv"
    # The same numbers as text and back: read_csv may differ in the last bit.
    pd.testing.assert_frame_equal(data, report.frame(found), check_dtype=False, rtol=1e-12)
    assert csv_of(report.table(found, "accuracy@2"))[0] == "v01-accuracy-at-2.csv"


def test_published_records_are_linked_and_others_only_named():
    found = results()
    record = found.records["linear"][2]
    assert f'<a href="../records/runs/{record.id}.json">' in report.table(found).html
    pair = found.pairs["linear"][2, 3]
    html = report.table(found, "similarity").html
    assert f'<a href="../records/pairs/{pair.id}.json">' in html
    assert '<td data-sort="2">2 and 3</td>' in html
    few = report.table(results(seeds=[0, 2])).html
    assert record.id in few
    assert "<a href=" not in few


@pytest.mark.parametrize(
    "show",
    [
        report.table,
        report.curves,
        report.dots,
        lambda found: report.table(found, "similarity"),
        lambda found: report.kernel_figure({HOSTILE: Linear()}),
        lambda found: report.verdicts(results(study(id="v01", claims=HOSTILE_CLAIMS))),
    ],
)
def test_names_are_shown_as_text_and_never_as_markup(show):
    html = show(results())._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html


HOSTILE_CLAIMS = tuple(
    dataclasses.replace(claim, words=HOSTILE, note=HOSTILE) for claim in study().claims
)


def test_verdicts_stand_as_word_and_sign_with_the_rule():
    shown = report.verdicts(results())
    assert "✓ holds" in shown.html
    assert "−0.13 points" in shown.html
    assert '<span class="size outside">✗ size: other sign</span>' in shown.html
    assert "Holm-corrected" in shown.html
    quick = report.verdicts(results(dataset="quick-digits"))
    assert "– not judged" in quick.html


def test_a_study_without_claims_has_an_empty_table_of_verdicts():
    assert report.verdicts(results(study(claims=()))).html


def test_the_ledger_is_json_with_one_object_a_claim():
    for found in (results(), results(dataset="quick-digits")):
        rows = json.loads(json.dumps(report.ledger_rows(found.findings()), allow_nan=False))
        assert [row["key"] for row in rows] == ["linear-wins", "not-alike"]
        wanted = {"chapter", "claim", "reported", "estimate", "low", "high", "n", "verdict", "rule"}
        assert all(wanted <= set(row) for row in rows)


def test_every_reported_cell_stands_beside_ours_as_json():
    rows = json.loads(json.dumps(report.table_rows(results().study, results()), allow_nan=False))
    cells = [(row["arm"], row["metric"], row["reported"], row["n"]) for row in rows]
    assert cells == [
        ("none", "accuracy", 97.69, 6),
        ("linear", "accuracy", 97.56, 6),
        ("linear", "similarity", 0.007, 3),
    ]


@pytest.mark.parametrize("show", [report.curves, report.dots])
def test_a_figure_has_an_alternative_text_with_its_numbers_and_n(show):
    found = results()
    shown = show(found)
    alt = svg_of(shown).attrib["aria-label"]
    mean = mean_interval(list(found.samples("linear", "accuracy").values())).estimate
    assert f"{mean:.2f}" in alt
    assert "n = 6" in alt
    assert shown.text.startswith(alt)


def test_a_figure_takes_the_colour_of_the_page():
    html = report.curves(results()).html
    assert "currentColor" in html
    assert INK not in html
    assert "#ffffff" not in html


def test_the_same_figure_is_the_same_bytes():
    assert report.dots(results()).html == report.dots(results()).html


def test_every_name_inside_two_figures_differs_or_means_the_same():
    html = report.curves(results()).html + report.dots(results()).html
    assert not re.search(r'id="(figure|axes|patch|text)_', html)


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(mpl.rcParams)
    report.curves(results())
    report.kernel_figure({"linear": Linear()})
    assert dict(mpl.rcParams) == before


def test_chosen_arms_are_drawn_and_an_unknown_one_is_refused():
    assert "linear" not in report.curves(results(), arms=["none"]).text
    with pytest.raises(ValueError, match="unknown arm 'nnone'"):
        report.curves(results(), arms=["nnone"])


def test_curves_of_another_quantity_can_be_drawn():
    assert "test loss" in report.curves(results(), quantity="test_loss").text


def test_the_picture_of_kernels_says_their_strengths():
    shown = report.kernel_figure(
        {"linear": Linear(), "exp": Exponential(), "mixed": Shuffled(kernel=Exponential())}
    )
    assert "linear: 1.00 at 0, 0.55 at 0.5, 0.10 at 1." in shown.text
    assert "mixed: kernel values permuted over connections." in shown.text
    assert svg_of(shown) is not None
    with pytest.raises(ValueError, match="at least one kernel"):
        report.kernel_figure({})


def test_a_figure_without_an_alternative_text_is_refused():
    with pytest.raises(ValueError, match="expected an alternative text"):
        report.figure(Figure(), " ")


def test_the_numbers_for_prose_carry_spread_and_n():
    found = results()
    said = report.numbers(found)
    samples = list(found.samples("linear", "accuracy").values())
    interval = mean_interval(samples)
    assert said["v01-linear-accuracy"] == f"{interval.estimate:.2f} ± {interval.sd:.2f} (n = 6)"
    assert said["v01-linear-accuracy-reported"] == "97.56 ± 0.30"
    assert said["v01-linear-minus-none"] == said["v01-linear-minus-none-accuracy"]
    assert re.fullmatch(r"\+0\.\d\d \[\+0\.\d\d, \+0\.\d\d\]", said["v01-linear-minus-none"])
    assert said["v01-linear-minus-none-accuracy-reported"] == "−0.13"
    assert said["v01-claim-linear-wins"] == "holds"
    assert (said["v01-claims"], said["v01-claims-hold"]) == ("2", "2")
    assert said["v01-none-similarity-n"] == "3"
    assert "v01-none-minus-none" not in said


def test_keys_for_prose_hold_no_signs_that_a_role_reads_otherwise():
    said = report.numbers(results(study(metrics=("accuracy", "accuracy@2", "sparsity:0"))))
    assert "v01-linear-accuracy-at-2-mean" in said
    assert "v01-linear-sparsity-0-mean" in said
    assert not any(set(key) & set(":@ /") for key in said)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none → linear", "none-to-linear"),
        ("k = 15", "k-15"),
        ("k 3 → 15", "k-3-to-15"),
        ("epochs_to@45", "epochs_to-at-45"),
        ("accuracy:imdb", "accuracy-imdb"),
        (HOSTILE, "img-src-x-onerror-alert-1-co"),
    ],
)
def test_a_name_in_a_key_is_plain(name, expected):
    assert slug(name) == expected


def test_two_arms_with_one_key_are_refused():
    one = study()
    twice = study(arms={**one.arms, "Linear": one.arms["linear"]})
    with pytest.raises(ValueError, match="arms 'linear' and 'Linear' have one key, 'linear'"):
        report.numbers(results(twice))


def test_gluing_outside_a_notebook_prints_nothing(capsys):
    report.glue_numbers(results())
    assert capsys.readouterr().out == ""


def test_gluing_in_a_notebook_shows_each_text_as_it_is_under_its_key(monkeypatch):
    core = pytest.importorskip("IPython.core.interactiveshell")
    pytest.importorskip("myst_nb")
    import myst_nb.ext.glue as glue
    from myst_nb.core.variables import format_plain_text

    shown, calls = {}, []

    def keep(data, raw, metadata):
        calls.append((data, raw, metadata))
        text = data["application/papermill.record/text/plain"]
        shown[metadata["scrapbook"]["name"]] = format_plain_text(text, "")  # as on a page

    shell = core.InteractiveShell.instance()
    try:
        monkeypatch.setattr("IPython.display.display", keep)
        monkeypatch.setattr(glue, "ipy_display", keep)
        glue.glue("zero-at-the-end", "66.30", display=False)
        report.glue_numbers({"zero-at-the-end": "66.30"})
        assert calls[0] == calls[1]  # which a page is given by myst_nb itself
        report.glue_numbers(results())
    finally:
        shell.history_manager.end_session()
        core.InteractiveShell.clear_instance()
    assert shown.pop("zero-at-the-end") == "66.30"
    assert shown == report.numbers(results())


def test_the_banner_says_why_runs_are_to_come(tmp_path, monkeypatch):
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path))
    monkeypatch.setattr("spatialnb.records.store.published_folder", lambda: tmp_path / "none")
    some = results(seeds=study().seeds[:2])
    assert some.interim
    first = next(iter(study().configs().values()))[0]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f"{first.id}.json").touch()
    monkeypatch.setattr("spatialnb.config.run.RECIPE", 2)
    said = report.banner(some).text
    assert "18 of its 18 runs are not recorded; 1 recorded under recipe 1 do not count" in said
    assert f"`spatialnb train {some.study.id}` trains them." in said


def test_the_banner_is_there_only_when_the_parameters_are_not_the_published_ones():
    assert report.banner(results()) is None
    assert "Quick edition" in report.banner(results(dataset="quick-digits")).text
    other = report.banner(results(epochs=2, seeds=[4])).text
    assert "mnist, 2 epochs, 1 seed (4)" in other
    assert "The published ones are for mnist, 5 epochs, 6 seeds (0 to 5)" in other


@pytest.mark.parametrize(
    ("value", "digits", "signed", "expected"),
    [
        (1.25, 1, False, "1.2"),
        (-0.001, 2, True, "0.00"),
        (-0.126, 2, True, "−0.13"),
        (0.126, 2, True, "+0.13"),
        (math.nan, 2, False, "–"),
        (None, 2, False, "–"),
    ],
)
def test_numbers_are_printed_with_a_real_minus_and_never_minus_nothing(
    value, digits, signed, expected
):
    assert number(value, digits, signed) == expected


def test_spread_and_bounds_are_left_out_where_there_are_none():
    assert spread(1.0, math.nan, 1) == "1.0"
    assert bounds(Interval(1.0, math.nan, math.nan, 1, math.nan), 1) == "–"


def test_seeds_are_listed_where_they_are_not_consecutive():
    assert seeds_text((0, 1, 2)) == "3 seeds (0 to 2)"
    assert seeds_text((0, 2)) == "2 seeds (0, 2)"


def test_what_was_reported_stands_in_the_tables_own_units():
    one = study(reported=(Reported(arm="none", metric="similarity", value=0.018),))
    assert "0.0180" in report.table(results(one), "similarity").text


def test_a_record_that_failed_is_still_behind_the_table():
    found = results(failed=[("none", 1)])
    assert failed_record(found.study.configs()["none"][1]).id in report.table(found).html


@pytest.mark.parametrize(("count", "said"), [(4, True), (12, False)])
def test_verdicts_on_few_seeds_say_so_below_their_table(count, said):
    few = study(seeds=tuple(range(count)))
    shown = report.verdicts(results(few))
    for text in (shown.html, shown.text):
        assert ("on fewer than 5 seeds or pairs (n = 2 to 4): take them as prov" in text) is said
