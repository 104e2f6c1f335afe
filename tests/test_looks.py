"""One colour and mark for an arm, in every figure of the book."""

from __future__ import annotations

from spatialnb.report.style import KNOWN, LINES, line, looks
from spatialnb.studies import STUDIES


def test_an_arm_that_several_chapters_show_looks_the_same_in_all() -> None:
    for name, place in KNOWN.items():
        assert looks(["none", name, "x"], "none")[name] == line(place)
        assert looks(["y", f"AdamW, {name}"], "y")[f"AdamW, {name}"] == line(place)


def test_the_baseline_has_the_colour_of_the_text_and_others_what_is_left() -> None:
    found = looks(["none", "a", "k 3 → 50", "b"], "none")
    assert found["none"] == line(0, baseline=True)
    assert found["k 3 → 50"] == line(0)
    assert [found["a"], found["b"]] == [line(1), line(2)]


def test_arms_of_one_figure_differ_as_long_as_there_are_looks() -> None:
    for study in STUDIES.values():
        others = [arm for arm in study.arms if arm != study.baseline][: len(LINES)]
        found = looks([study.baseline, *others], study.baseline)
        assert len({*found.values()}) == len(found), study.id
