"""Overviews: several metrics at once, shares of strengths, trade-offs, and the whole ledger."""

import base64
import dataclasses
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from html import escape

import pandas as pd
import pytest
from synthetic import ARMS, CLAIMS, HOSTILE, results, study

from spatialnb import report, studies
from spatialnb.priors.kernels import Exponential, Shuffled, Uniform
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.report.findings import difference_text, signed
from spatialnb.studies import STUDIES
from spatialnb.study.inference import mean_interval
from spatialnb.study.results import Results
from spatialnb.study.study import Reported

SCHEDULES = {
    "none": Static(kernel=Uniform()),
    "k = 15": Static(kernel=Exponential(k=15)),
    "k 3 → 100": Sharpen(k_start=3, k_end=100),
    "shuffled": Static(kernel=Shuffled(kernel=Exponential(k=15), seed=1000)),
}


def csv_of(shown):
    """The file behind the link, as (name, data)."""
    link = re.search(
        r'download="([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', shown.html
    )
    return link.group(1), pd.read_csv(io.BytesIO(base64.b64decode(link.group(2))))


def cells_of(shown):
    """The table itself, as text."""
    html = re.search(r"<table.*?</table>", shown.html, re.DOTALL)
    table = ET.fromstring(html.group(0).replace('<span class="below">', "<span>; "))
    head, *rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    return pd.DataFrame([row[1:] for row in rows], [row[0] for row in rows], head[1:])


def mean_of(found, arm, metric):
    return mean_interval(list(found.samples(arm, metric).values())).estimate


# ── Side by side ────────────────────────────────────────────────────────────────────────────────


def test_metrics_stand_beside_each_other_with_spread_n_and_what_was_reported():
    found = results()
    cells = cells_of(report.side_by_side(found, ["accuracy", "similarity"]))
    ours = mean_interval(list(found.samples("linear", "accuracy").values()))
    cell = f"{ours.estimate:.2f} ± {ours.sd:.2f} (n = 6); reported 97.56"
    assert cells.loc["linear", "test accuracy (%)"] == cell
    assert cells.loc["linear", "similarity"].endswith("(n = 3); reported 0.007")
    assert cells.loc[HOSTILE, "test accuracy (%)"].endswith("(n = 6)")


def test_an_n_that_is_the_same_everywhere_is_said_once():
    shown = report.side_by_side(results(), ["accuracy", "accuracy@1"])
    assert shown.text.startswith("Mean ± standard deviation, n = 6: ")
    assert shown.text.count("n = ") == 1


@pytest.mark.parametrize("names", [["accuracy"], [f"accuracy@{epoch}" for epoch in range(5)]])
def test_the_longer_of_metrics_and_arms_goes_downwards(names):
    cells = cells_of(report.side_by_side(results(), names))
    assert cells.shape == (max(3, len(names)), min(3, len(names)))


def test_what_stands_side_by_side_can_be_taken_along_as_numbers():
    found = results()
    name, data = csv_of(report.side_by_side(found, ["accuracy@1", "similarity"]))
    assert name.endswith(".csv")
    assert list(data.columns) == ["metric", "arm", "mean", "sd", "low", "high", "n"]
    assert list(zip(data["metric"], data["arm"], strict=True)) == [
        (metric, arm) for metric in ("accuracy@1", "similarity") for arm in found.arms
    ]
    # As text and back: the last bit may differ.
    first = data.loc[data["arm"] == "linear", "mean"].iloc[0]
    assert first == pytest.approx(mean_of(found, "linear", "accuracy@1"), rel=1e-12)


def test_a_metric_that_is_not_recorded_is_a_dash_beside_those_that_are():
    cells = cells_of(report.side_by_side(results(), ["accuracy", "cap_share"]))
    assert set(cells["weights at their cap (%)"]) == {"–"}


def test_side_by_side_says_what_it_was_made_from_and_that_quick_decides_nothing():
    assert "mnist, 5 epochs, 6 seeds (0 to 5)" in report.side_by_side(results(), ["accuracy"]).text
    quick = report.side_by_side(results(dataset="quick-digits"), ["accuracy"])
    assert "decides nothing" in quick.html


# ── Shares of small strengths ───────────────────────────────────────────────────────────────────


def with_schedules(**changes):
    arms = {
        name: dataclasses.replace(ARMS["none"], schedule=schedule)
        for name, schedule in SCHEDULES.items()
    }
    cells = (Reported(arm="k = 15", metric="sparsity", value=64.7),)
    return study(arms=arms, labels={}, claims=(), reported=cells, **changes)


def test_shares_are_shown_as_reported_as_measured_and_in_closed_form():
    found = results(with_schedules())
    shown = report.shares(found)
    cells = cells_of(shown).loc["k = 15"]
    assert list(cells) == ["64.7", "64.7", "64.6"]
    name, data = csv_of(shown)
    assert name == "v01-sparsity.csv"
    exact = data.set_index("arm")["closed form, wide layers"]
    # The closed form of the report's kernel, (1 - ln 19 / k)², written with ten digits or more.
    for arm, k in (("k = 15", 15), ("k 3 → 100", 100), ("shuffled", 15)):
        assert exact[arm] == pytest.approx(100.0 * (1.0 - math.log(19.0) / k) ** 2, rel=1e-9)
    assert exact["none"] == 0.0


def test_an_arm_without_a_reported_share_has_a_dash():
    cells = cells_of(report.shares(results(with_schedules())))
    assert list(cells["reported"]) == ["–", "64.7", "–", "–"]


@pytest.mark.parametrize("chapter", ["v10", "v11"])
def test_the_chapters_on_sharpening_show_the_share_of_every_arm(chapter):
    one = STUDIES[chapter]
    assert list(cells_of(report.shares(results(one))).index) == list(one.arms)


# ── Trade-off ───────────────────────────────────────────────────────────────────────────────────


def test_a_trade_off_says_both_means_and_n_of_every_arm():
    found = results()
    shown = report.trade_off(found, "sparsity")
    ours = mean_interval(list(found.samples("linear", "accuracy").values()))
    said = f"linear (n = 6): {ours.estimate:.2f} [{ours.low:.2f}, {ours.high:.2f}] at 64.7."
    assert said in shown.text
    assert 'role="img" aria-label="test accuracy over kernel values below 0.1.' in shown.html
    assert "the cross is the reported value. n = 6 in every arm. mnist, 5 epochs" in shown.html


def test_arms_without_the_metric_across_are_left_out_of_a_trade_off():
    every = [("linear", seed) for seed in range(6)]
    text = report.trade_off(results(failed=every), "sparsity").text
    assert "none (n = 6)" in text
    assert "linear" not in text


def test_a_trade_off_of_one_seed_has_points_and_no_intervals():
    assert "none (n = 1): " in report.trade_off(results(seeds=[0]), "sparsity").text


def test_a_trade_off_shows_names_as_text_and_refuses_an_unknown_metric():
    html = report.trade_off(results(), "sparsity").html
    assert "<img" not in html
    assert "&lt;img" in html
    with pytest.raises(ValueError, match=r"unknown metric 'sparsty'.*Did you mean 'sparsity'"):
        report.trade_off(results(), "sparsty")


@pytest.mark.parametrize(
    "show",
    [
        lambda: report.trade_off(results(), "cap_share"),
        lambda: report.curves(results(), quantity="cap_share"),
        lambda: report.kernel_figure({"shuffled": Shuffled(kernel=Exponential())}),
    ],
)
def test_a_figure_with_nothing_for_its_legend_is_drawn_without_a_warning(show):
    assert "<svg" in show().html


# ── Ledger and tally ────────────────────────────────────────────────────────────────────────────


def test_the_ledger_has_a_row_a_claim_with_its_chapter_and_its_rule():
    findings = results().findings()
    shown = report.ledger(findings)
    assert list(cells_of(shown).index) == [f"v01. {claim.words}" for claim in CLAIMS]
    for finding in findings:
        _, criterion = finding.rule.split("; ", 1)
        assert escape(signed(criterion)) in shown.html
        assert escape(difference_text(finding)) in shown.html
    assert shown.text.startswith("Claims and verdicts")


def test_the_csv_of_the_ledger_holds_what_the_command_prints():
    findings = results().findings()
    name, data = csv_of(report.ledger(findings))
    assert name == "ledger.csv"
    rows = report.ledger_rows(findings)
    assert list(data.columns) == list(rows[0])
    assert list(data["verdict"]) == [row["verdict"] for row in rows]
    # As text and back: the last bit may differ.
    assert list(data["estimate"]) == pytest.approx([row["estimate"] for row in rows], rel=1e-12)


def test_the_words_of_a_claim_stand_in_the_ledger_as_text():
    claims = tuple(dataclasses.replace(claim, words=HOSTILE, note=HOSTILE) for claim in CLAIMS)
    html = report.ledger(results(study(claims=claims)).findings()).html
    assert "<img" not in html
    assert "&lt;img" in html


def test_a_ledger_of_claims_that_nothing_judges_is_valid_json():
    findings = results(dataset="quick-digits").findings()
    for row in json.loads(json.dumps(report.ledger_rows(findings), allow_nan=False)):
        assert (row["estimate"], row["low"], row["high"], row["n"]) == (None, None, None, 0)
        assert row["verdict"] == "not judged"
    assert report.ledger(findings).html


def test_a_single_sample_is_an_estimate_without_bounds_in_the_ledger():
    row = report.ledger_rows(results(seeds=[0]).findings())[0]
    assert row["estimate"] is not None
    assert (row["low"], row["high"], row["n"]) == (None, None, 1)


def test_the_tally_counts_every_verdict_and_adds_up():
    findings = results().findings() + results(dataset="quick-digits").findings()
    said = report.tally(findings)
    assert said == {
        "ledger-claims": "4",
        "ledger-holds": "2",
        "ledger-exceeded": "0",
        "ledger-tied": "0",
        "ledger-contradicted": "0",
        "ledger-undecided": "0",
        "ledger-not-judged": "2",
    }


def test_a_tally_of_nothing_is_all_zeros():
    assert set(report.tally([]).values()) == {"0"}


# ── Rows and numbers ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("one", STUDIES.values(), ids=STUDIES)
def test_a_chapter_without_results_lists_its_cells_with_nulls(one):
    rows = json.loads(json.dumps(report.table_rows(one, None), allow_nan=False))
    assert [(row["arm"], row["metric"], row["reported"]) for row in rows] == [
        (cell.arm, cell.metric, cell.value) for cell in one.reported
    ]
    for row in rows:
        assert (row["mean"], row["sd"], row["low"], row["high"], row["n"]) == (*[None] * 4, 0)


def test_a_cell_whose_every_run_failed_is_null_and_not_nan():
    failed = results(failed=[("linear", seed) for seed in range(6)])
    rows = json.loads(json.dumps(report.table_rows(failed.study, failed), allow_nan=False))
    by_arm = {(row["arm"], row["metric"]): row for row in rows}
    assert by_arm["linear", "accuracy"]["mean"] is None
    assert by_arm["none", "accuracy"]["n"] == 6


def test_a_cell_of_one_seed_has_a_mean_and_no_spread():
    found = results(seeds=[0])
    row = report.table_rows(found.study, found)[0]
    assert row["mean"] is not None
    assert (row["sd"], row["low"], row["high"], row["n"]) == (None, None, None, 1)


def test_the_numbers_hold_every_key_that_prose_may_quote():
    said = report.numbers(results())
    for arm in ("none", "linear", "inverse"):
        for metric in ("accuracy", "similarity"):
            for end in ("", "-mean", "-sd", "-interval", "-n", "-reported"):
                assert f"v01-{arm}-{metric}{end}" in said
    for end in ("", "-accuracy", "-accuracy-mean", "-accuracy-n", "-accuracy-reported"):
        assert f"v01-linear-minus-none{end}" in said
    for end in ("", "-estimate", "-n", "-reported"):
        assert f"v01-claim-linear-wins{end}" in said
    assert (said["v01-dataset"], said["v01-epochs"], said["v01-seeds"]) == ("mnist", "5", "6")
    assert (said["v01-claim-linear-wins-reported"], said["v01-claim-linear-wins-n"]) == (
        "−0.13",
        "6",
    )


def test_the_numbers_of_a_quick_edition_say_that_nothing_is_judged():
    said = report.numbers(results(dataset="quick-digits"))
    assert said["v01-claim-linear-wins"] == "not judged"
    assert said["v01-claim-linear-wins-estimate"] == "–"
    assert (said["v01-claims"], said["v01-claims-not-judged"]) == ("2", "2")


def test_the_counts_of_verdicts_add_up_to_the_claims():
    said = report.numbers(results())
    counts = [
        int(said[f"v01-claims-{end}"])
        for end in ("hold", "exceeded", "tied", "contradicted", "undecided", "not-judged")
    ]
    assert sum(counts) == int(said["v01-claims"]) == 2


def test_a_table_of_two_tasks_names_the_data_of_both():
    two = STUDIES["v07"]
    full = Results(study=two, dataset=two.dataset, epochs=12, seeds=(0, 1), records={})
    assert full.editions == ("cifar10-jpeg", "imdb")
    quick = Results(study=two, dataset="quick-colours", epochs=2, seeds=(0,), records={})
    assert quick.editions == ("quick-colours", "quick-text")


# ── A chapter that the report does not have ─────────────────────────────────────────────────────


def test_nothing_stands_as_reported_in_a_chapter_that_the_report_does_not_have():
    claims = tuple(dataclasses.replace(claim, reported=None) for claim in CLAIMS)
    found = results(study(reported=(), claims=claims))
    shown = [report.table(found), report.dots(found), report.verdicts(found)]
    assert not [part for part in shown if "reported" in part.html + part.text]
    assert list(cells_of(shown[0]).columns) == ["ours", "n", "by epoch", "minus none; ours"]
    assert list(cells_of(shown[2]).columns) == ["verdict", "ours", "n"]


def test_a_ledger_and_its_tally_can_have_another_name():
    findings = results().findings()
    assert csv_of(report.ledger(findings, name="controls"))[0] == "controls.csv"
    plain = report.tally(findings)
    assert report.tally(findings, "controls") == {
        key.replace("ledger", "controls"): count for key, count in plain.items()
    }


# ── What it took ────────────────────────────────────────────────────────────────────────────────


def timed(found, seconds):
    """The same results, each run of which took so long."""
    records = {
        arm: {
            seed: dataclasses.replace(record, provenance={"seconds": seconds})
            for seed, record in by_seed.items()
        }
        for arm, by_seed in found.records.items()
    }
    return dataclasses.replace(found, records=records)


def test_the_cost_counts_a_run_once_in_each_chapter_and_once_in_all():
    first = timed(results(), 900.0)
    fewer = study(
        id="c0",
        title="<b>Again</b>",
        arms={"none": ARMS["none"]},
        claims=(),
        labels={},
        reported=(),
    )
    chapters = [first, timed(results(fewer), 900.0)]
    shown = report.cost(chapters, {first.study.id: "page"})
    cells, seeds = cells_of(shown), len(first.seeds)
    runs = seeds * len(ARMS)
    assert cells["runs"].to_list() == [str(runs), str(seeds), str(runs)]
    assert cells["hours"].to_list() == [f"{n / 4:.1f}" for n in (runs, seeds, runs)]
    assert report.cost_numbers(chapters) == {
        "cost-runs": str(runs),
        "cost-hours": f"{runs / 4:.0f}",
    }
    assert f'<a href="page.html">{first.study.id}</a>' in shown.html
    assert "<b>Again" not in shown.html
    name, data = csv_of(shown)
    assert name == "cost.csv"
    assert data["hours"].to_list() == pytest.approx([runs / 4, seeds / 4, runs / 4])


# ── Rows that would say nothing, or the same ────────────────────────────────────────────────────


def rows_of(shown):
    html = shown.html[shown.html.index("<tbody>") : shown.html.index("</tbody>")]
    names = re.findall(r'<th scope="row"[^>]*>(.*?)</th>', html)
    return [re.sub(r"<[^>]+>", "", name) for name in names]


def test_arms_without_a_metric_have_no_row_and_are_named_below():
    arms = {**ARMS, "cap": dataclasses.replace(ARMS["linear"], action="cap")}
    shown = report.table(results(study(arms=arms, labels={})), "cap_share")
    assert rows_of(shown) == ["cap"]
    assert "this was not measured for them: “none”, “linear”, “inverse”." in shown.text
    assert "minus none" not in shown.text  # the baseline has no such number either


def test_arms_with_the_same_values_share_a_row_and_the_file_has_each():
    found = results(study(labels={}))
    records = dict(found.records)
    records["inverse"] = {
        seed: dataclasses.replace(record, outcome=found.records["linear"][seed].outcome)
        for seed, record in records["inverse"].items()
    }
    found = dataclasses.replace(found, records=records)
    shown = report.table(found, "accuracy@2")
    assert rows_of(shown) == ["none", "linear / inverse"]
    assert "Arms whose values are the same in every seed share a row." in shown.text
    assert report.frame(found, "accuracy@2")["arm"].tolist() == ["none", "linear", "inverse"]
    drawn = report.dots(found, "accuracy@2")
    assert "linear, inverse: " in drawn.text
    assert "The same in every seed, and so in one row: linear, inverse." in drawn.text
    assert rows_of(report.table(found)) == ["none", "linear", "inverse"]  # one is reported


def test_what_the_log_does_not_report_has_no_column():
    assert "reported" in report.table(results()).text
    assert "reported" not in report.table(results(), "accuracy@2").text


def test_a_caption_is_a_sentence_whatever_its_metric_is():
    assert report.curves(results()).text.split("\n")[1].startswith("Test accuracy by epoch")
    assert "difference from the baseline (none)" in report.table(results()).text


# ── Numbers for words that say a direction ──────────────────────────────────────────────────────


def test_a_difference_is_said_in_both_directions_without_a_plus():
    said = report.numbers(results())
    signed = said["v01-claim-linear-wins-estimate"]
    assert signed.startswith("+")
    assert said["v01-claim-linear-wins-ahead"] == signed.replace("+", "")
    estimate, low, high = re.findall(r"[+−][\d.]+", signed)
    mirrored = f"{estimate} [{high}, {low}]".replace("+", "−")
    assert said["v01-claim-linear-wins-behind"] == mirrored
    assert said["v01-claim-linear-wins-size"] == "✗ other sign"


def test_a_claim_and_a_row_on_the_same_difference_have_one_interval_for_prose():
    said = report.numbers(STUDIES["v11"].run(progress=False, train=False))
    assert said["v11-claim-five-points-estimate"] == said["v11-k-3-to-50-minus-none"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.6e-16, "5.6 × 10⁻¹⁶"),
        (-3.0e4, "−3.0 × 10⁴"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_a_power_of_ten_is_one_word(value, text):
    assert report.scientific(value).replace("\u00a0", " ") == text
    assert " " not in report.scientific(value)


@pytest.mark.parametrize(
    ("p", "text"), [(0.021, "0.021"), (3.3e-8, "3.3 × 10⁻⁸"), (0.0, "0"), (1.0, "1")]
)
def test_a_p_value_has_two_digits(p, text):
    from spatialnb.report.formatting import p_value

    assert p_value(p).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("reported", "ours", "size"),
    [
        (21.0, [27.0, 27.2, 27.4], "larger"),
        (5.0, [2.0, 2.1, 2.2], "smaller"),
        (-0.1, [0.3, 0.31, 0.32], "other sign"),
        (-0.3, [-0.5, -0.51, -0.52], "larger"),
        (2.3, [2.2, 2.3, 2.5], "as reported"),
        (None, [2.2, 2.3, 2.5], None),
    ],
)
def test_a_size_is_set_beside_the_reported_one(reported, ours, size):
    from spatialnb.study.claims import Claim
    from spatialnb.study.judging import judge

    claim = Claim(
        chapter="v01", key="a", words="A.", rule="beats", arm="a", than=0.0, reported=reported
    )
    (finding,) = judge([claim], lambda arm, metric: dict(enumerate(ours)))
    assert finding.size == size


# ── Caps before training ────────────────────────────────────────────────────────────────────────


def test_the_share_beyond_a_cap_before_training_is_what_initial_weights_give():
    import torch

    from spatialnb.training import networks

    found = STUDIES["v08"].run(progress=False, train=False)
    said = report.cap_numbers(found)
    assert said["v08-cap-exponential-least"] == f"{0.05 + 0.95 * math.exp(-3):.3f}"
    shares = []
    for seed in range(20):
        run = dataclasses.replace(found.study.arms["cap exponential"], seed=seed)
        model = networks.initialise(run, (3, 32, 32), 10)
        caps = [
            run.schedule.at(0.0).strength(d) for d in networks.distances(run, model, (3, 32, 32))
        ]
        layers = [layer.weight.detach() for _, layer in networks.linear_layers(model)]
        shares.append(
            [float((w.abs() > c).double().mean()) for w, c in zip(layers, caps, strict=True)]
        )
    mean = 100.0 * torch.tensor(shares).mean(dim=0)
    for place, near in ((1, 0.01), (2, 0.1), (3, 0.5)):
        assert float(said[f"v08-cap-exponential-start-{place}"]) == pytest.approx(
            float(mean[place - 1]), abs=near
        )
    assert "v08-multiply-exponential-least" not in said


# ── What outputs are connected to, where a kernel has zeros ─────────────────────────────────────


def test_an_output_reaches_the_inputs_that_are_near_enough_layer_by_layer():
    found = STUDIES["c8"].run(progress=False, train=False)
    said = report.reach_numbers(found)
    assert set(said) == {
        f"c8-k-3-to-{k}-real-zeros-{what}"
        for k in (50, 100, 200, 400)
        for what in ("zeros", "reach", "idle")
    }
    near = math.log(0.95 / 0.05) / 100  # the kernel is 0.1 there

    def inputs(unit: int, *widths: int) -> set[int]:
        own, into, *further = widths
        there = {i for i in range(into) if abs(i / (into - 1) - unit / (own - 1)) <= near}
        return set().union(*(inputs(i, into, *further) for i in there)) if further else there

    reached = [len(inputs(unit, 10, 128, 256, 3072)) / 3072 for unit in range(10)]
    used = set().union(*(inputs(unit, 10, 128) for unit in range(10)))
    assert said["c8-k-3-to-100-real-zeros-reach"] == f"{100 * sum(reached) / 10:.1f}"
    assert said["c8-k-3-to-100-real-zeros-idle"] == f"{100 * (1 - len(used) / 128):.1f}"
    assert said["c8-k-3-to-100-real-zeros-zeros"] == "94.2"


def test_a_rule_that_several_claims_share_is_told_once() -> None:
    shown = report.verdicts(studies.get("c9h").run())
    _, _, why = shown.html.partition("Why, and by which rule")
    assert why.count("holds if the Holm-corrected") == 1
    assert why.count("Beats: the interval of D lies above 0 (margin 0.2 points).") == 1
    assert why.count("At least as good: D lies above −0.2 points.") == 1
    assert why.count("Rule 1: D = ") > 1
    assert "Rule 2: D = test accuracy of “random” minus “none”." in why


def test_what_was_seen_before_the_claims_is_told_once_a_chapter() -> None:
    why = report.verdicts(studies.get("c9").run()).html
    assert why.count("seen before these claims were written") == 1
    assert "p = 1." in report.verdicts(studies.get("c9g").run()).html
