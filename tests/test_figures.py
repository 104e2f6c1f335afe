"""Every figure: what it says in words, what it offers, and whether it can be read."""

import base64
import dataclasses
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from synthetic import results, study

from spatialnb import report
from spatialnb.analysis import weight_summary
from spatialnb.config.run import Run
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record, RecordError, Store
from spatialnb.report import style, weight_figures
from spatialnb.report.style import COLOURS, INK, LINES, PAGES, PALE
from spatialnb.studies import c4_sparse_or_small
from spatialnb.study.inference import mean_interval

PHONE, COLUMN = 343.0, 624.0
"""CSS pixels that a phone of 375 leaves a figure, and a window of 1200."""
TEXT = {"#ffffff": "#222832", "#121212": "#ced6dd"}
"""The theme's colour of text on its pages, which INK becomes."""


def summary(sizes=(0.2, 0.1), features=3072):
    """A record's outcome: weights of one size, halved in the far half."""
    full = torch.full((8, features), sizes[0])
    less = full.clone()
    less[:, features // 2 :] = sizes[1]
    return weight_summary.summarise({"0": full}, {"0": less})


@pytest.fixture
def recorded(monkeypatch):
    """Results on CIFAR-10 with weights for two of three arms."""
    arms = {
        "none": Run(),
        "linear": Run(schedule=Static(kernel=Exponential())),
        "inverse": Run(schedule=Static(kernel=Exponential(k=9))),
    }
    found = results(study(arms=arms, reported=(), seeds=(0, 1)), failed=[("inverse", 0)])
    there = {
        arms[arm].id: Record(
            kind="weight", config=weight_summary.weights_config(arms[arm]), outcome=summary(sizes)
        )
        for arm, sizes in {"none": (0.2, 0.2), "linear": (0.3, 0.1)}.items()
    }
    monkeypatch.setattr(weight_summary, "weights_of", lambda run: there.get(run.id))
    return found


def more_arms():
    one = study()
    more = {f"k = {k}": Run(dataset="mnist", epochs=5, learning_rate=k / 1e4) for k in (3, 9)}
    return results(study(arms={**one.arms, **more}))


FIGURES = {
    "curves": lambda: report.curves(results()),
    "panels": lambda: report.curves(more_arms()),
    "dots": lambda: report.dots(results()),
    "trade-off": lambda: report.trade_off(results(), "sparsity"),
    "zeros": lambda: report.zeros_figure(
        results(c4_sparse_or_small.STUDY), c4_sparse_or_small.FROM_THE_START, "from the start"
    ),
    "idea": lambda: report.idea_figure(),
    "kernels": lambda: report.kernel_figure(
        {f"exponential → k = {k}": Exponential(k=k) for k in range(1, 8)}
    ),
    "receptive": lambda: report.receptive_fields(results(), ["none", "linear"]),
}


@pytest.fixture(params=[*FIGURES, "weights"])
def shown(request):
    if request.param == "weights":
        return report.weights_figure(request.getfixturevalue("recorded"))
    return FIGURES[request.param]()


def files_of(shown):
    """The files behind a figure by the end of their names, as text."""
    links = re.findall(r'download="[^"]+\.(csv|svg)" href="data:[^,]+;base64,([^"]+)"', shown.html)
    return {end: base64.b64decode(data).decode() for end, data in links}


def csv_of(shown):
    return pd.read_csv(io.StringIO(files_of(shown)["csv"]))


def test_a_figure_offers_its_values_and_itself(shown):
    files = files_of(shown)
    assert len(pd.read_csv(io.StringIO(files["csv"]))) > 2
    root = ET.fromstring(files["svg"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"] in shown.text
    assert "background: #fff" in root.attrib["style"]
    assert "<summary>Source of this figure</summary>" in shown.html


def drawings_of(shown):
    """The drawing for a phone and the one for wider columns."""
    return re.findall(r"<svg.*?</svg>", shown.html, re.DOTALL)


def letters(drawing, column):
    """How tall a drawing's letters are on a column, in CSS pixels."""
    width = float(ET.fromstring(drawing).attrib["viewBox"].split()[2])
    sizes = re.findall(r"font(?:-size)?: ?([\d.]+)px", drawing)
    return [float(size) * column / width for size in sizes]


def test_the_text_of_a_figure_is_ten_pixels_tall_on_a_phone(shown):
    small, _ = drawings_of(shown)
    assert min(letters(small, PHONE)) >= 10.0


def test_the_text_of_a_figure_is_about_as_tall_as_the_page_s_on_a_wider_column(shown):
    _, large = drawings_of(shown)
    sizes = letters(large, COLUMN)
    assert 12.0 <= min(sizes) <= max(sizes) <= 16.0


def test_both_drawings_show_the_same_words_and_share_no_name_of_a_part(shown):
    small, large = (ET.fromstring(drawing) for drawing in drawings_of(shown))
    assert (small.attrib["class"], large.attrib["class"]) == ("narrow", "broad")
    assert small.attrib["aria-label"] == large.attrib["aria-label"]
    ids = [
        {one.attrib["id"] for one in drawing.iter() if "id" in one.attrib}
        for drawing in (small, large)
    ]
    assert ids[0].isdisjoint(ids[1])
    words = [
        {
            text
            for one in drawing.iter("{http://www.w3.org/2000/svg}text")
            if (text := "".join(one.itertext())) and not re.fullmatch(r"[−\d.]+", text)
        }
        for drawing in (small, large)
    ]
    assert words[0] == words[1]


def test_an_svg_is_written_without_waste(shown):
    for drawing in drawings_of(shown):
        assert "<g>" not in drawing
        assert "\n" not in drawing
        assert not re.search(r'(?:d|points)="[^"]*\.\d{3}', drawing)
        assert "> <" not in drawing
        marks = re.findall(r'<use [^>]*style="([^"]*)"/>(?=<use [^>]*style="([^"]*)"/>)', drawing)
        assert all(first != second for first, second in marks)


def test_a_picture_has_a_palette_and_the_same_pixels():
    colours = np.array([[0, 34, 78, 255], [254, 232, 56, 255]], dtype=np.uint8)
    pixels = colours[np.arange(48 * 48).reshape(48, 48) % 7 % 2]
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    small = base64.b64decode(style._with_palette(base64.b64encode(written.getvalue()).decode()))
    picture = Image.open(io.BytesIO(small))
    assert picture.mode == "P"
    assert np.array_equal(np.asarray(picture.convert("RGBA")), pixels)


def test_a_figure_leaves_letters_and_their_colour_to_the_page(shown):
    drawn = shown.html[: shown.html.index("</svg>")]
    assert "font-family" not in drawn
    assert INK not in drawn
    assert all("fill: currentColor" in text for text in re.findall(r"<text[^>]*>", drawn))


def test_the_values_behind_curves_are_the_means_by_epoch():
    found = results()
    data = csv_of(report.curves(found)).set_index(["arm", "epoch"])
    ours = mean_interval(list(found.samples("linear", "accuracy@2").values()))
    row = data.loc[("linear", 2)]
    assert list(row) == pytest.approx([ours.estimate, ours.low, ours.high, 6])


def test_the_values_behind_dots_are_the_seeds():
    found = results()
    data = csv_of(report.dots(found))
    linear = data[data["arm"] == "linear"].set_index("seed")["value"]
    assert linear.to_dict() == pytest.approx(found.samples("linear", "accuracy"))


def test_one_n_for_all_stands_in_the_caption_and_others_at_their_arms():
    same = report.dots(results()).html
    assert "n = 6 in every arm." in same
    other = report.dots(results(failed=[("linear", 3)])).html
    assert "in every arm" not in other
    assert ">linear (n = 5)<" in other


def test_the_cross_is_explained_only_where_something_was_reported():
    assert "cross" in report.dots(results()).html
    assert "cross" not in report.dots(results(), "similarity_effective").html


def test_many_arms_get_a_panel_each_and_the_baseline_in_all():
    found = more_arms()
    html = report.curves(found).html
    assert "the grey line without marks is none" in html
    for arm in ("linear", "k = 3", "k = 9"):
        assert f">{arm}</text>" in html


def test_the_idea_says_strengths_of_the_package():
    said = report.idea_figure().text
    strength = Exponential(k=15).strength(torch.tensor([0.125, 0.5]))
    assert "none: 1.00 at 0, 1.00 at 0.125, " in said
    assert f"exponential, k = 15: 1.00 at 0, {strength[0]:.2f} at 0.125, " in said
    assert f"{strength[1]:.2f} at 0.5." in said


# ── Learned weights ─────────────────────────────────────────────────────────────────────────────


def test_the_picture_of_weights_says_near_and_far(recorded):
    shown = report.weights_figure(recorded)
    layer = summary((0.3, 0.1))["0"]
    _, near, far = weight_figures._parts(layer, "effective")
    assert "linear: learned 0.300 near (distance under 1/4), 0.300 far (over 3/4)" in shown.text
    assert f"effective {near:.3f} near" in shown.text
    assert f"{far:.3f} far" in shown.text
    assert "n = 1, so no spread is shown" in shown.html
    assert ">green pixels</text>" in shown.html


def test_the_values_behind_the_picture_of_weights_are_the_records(recorded):
    data = csv_of(report.weights_figure(recorded))
    linear = data[data["arm"] == "linear"]
    layer = summary((0.3, 0.1))["0"]
    assert list(linear["effective"]) == pytest.approx(layer["effective"])
    assert list(linear["connections"]) == layer["connections"]


def test_an_arm_without_recorded_weights_is_left_out(recorded):
    shown = report.weights_figure(recorded)
    assert set(csv_of(shown)["arm"]) == {"none", "linear"}
    assert report.weights_numbers(recorded)["v01-inverse-weights-learned"] == "–"


def test_without_any_recorded_weights_a_sentence_stands_in_their_place(recorded):
    for shown in (
        report.weights_figure(recorded, ["inverse"]),
        report.weights_figure(results(seeds=[4, 5])),
    ):
        assert shown.html == "<p>No weights are recorded of the runs that are shown here.</p>"


def test_an_unknown_arm_has_no_weights(recorded):
    with pytest.raises(ValueError, match=r"unknown arm 'liner'.*Did you mean 'linear'"):
        report.weights_figure(recorded, ["liner"])


def test_the_numbers_of_weights_are_those_of_the_picture(recorded):
    said = report.weights_numbers(recorded, ["linear"])
    whole, near, far = weight_figures._parts(summary((0.3, 0.1))["0"], "effective")
    key = "v01-linear-weights-effective"
    assert said[key] == f"{whole:.3f}"
    assert (said[f"{key}-near"], said[f"{key}-far"]) == (f"{near:.3f}", f"{far:.3f}")
    assert said[f"{key}-ratio"] == f"{far / near:.2f}"


def test_inputs_that_have_no_colours_are_called_inputs(monkeypatch):
    found = results(study(seeds=(0, 1)))
    run = found.study.arms["none"]
    record = Record(
        kind="weight", config=weight_summary.weights_config(run), outcome=summary(features=784)
    )
    monkeypatch.setattr(
        weight_summary, "weights_of", lambda asked: record if asked == run else None
    )
    html = report.weights_figure(found).html
    assert ">inputs</text>" in html
    assert "green" not in html


def test_a_changed_byte_in_a_record_of_weights_is_refused(tmp_path):
    store, run = Store(tmp_path), Run()
    record = Record(kind="weight", config=weight_summary.weights_config(run), outcome=summary())
    path = store.add(record)
    assert path.parent.name == "weights"
    assert weight_summary.weights_of(run, store) == record
    assert weight_summary.weights_of(dataclasses.replace(run, seed=1), store) is None
    text = path.read_text(encoding="utf-8")
    at = text.index('"picture": [[0.') + len('"picture": [[0.')
    path.write_text(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])
    with pytest.raises(RecordError, match="the file was changed"):
        weight_summary.weights_of(run, store)


# ── Colours ─────────────────────────────────────────────────────────────────────────────────────


def channels(color):
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(parts):
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", [color for color, _, _ in LINES])
@pytest.mark.parametrize("page", PAGES)
def test_every_line_has_a_contrast_of_3_on_light_and_on_dark(color, page):
    assert contrast(channels(color), channels(page)) >= 3.0


@pytest.mark.parametrize("page", PAGES)
def test_text_has_a_contrast_of_4_5_and_what_is_pale_one_of_3(page):
    text, ground = channels(TEXT[page]), channels(page)
    pale = [PALE * t + (1.0 - PALE) * g for t, g in zip(text, ground, strict=True)]
    assert contrast(text, ground) >= 4.5
    assert contrast(pale, ground) >= 3.0


def test_every_line_differs_in_dash_and_in_mark():
    assert len({dash for _, dash, _ in LINES}) == len({mark for _, _, mark in LINES}) == len(LINES)


def test_the_colours_of_matrices_rise_in_greyscale():
    from matplotlib import colormaps

    greys = [luminance(colormaps[COLOURS](place / 20)[:3]) for place in range(21)]
    assert greys == sorted(greys)
