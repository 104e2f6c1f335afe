"""Parameters of a chapter: one declaration for notebooks, papermill and the command line."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialnb.config.run import Run
from spatialnb.studies import STUDIES
from spatialnb.study import parameters
from spatialnb.study.parameters import PARAMETERS, parse, read


def test_every_parameter_says_what_it_takes_and_what_it_does():
    for name, parameter in PARAMETERS.items():
        assert parameter.name == name
        assert parameter.kind
        assert parameter.meaning
        assert not parameter.field or parameter.field in Run.__dataclass_fields__


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_published_parameters_of_a_study_are_ones_that_it_takes(study):
    assert set(study.parameters) <= set(PARAMETERS)
    values = parse(study.parameters)
    assert values["arms"] == {}
    assert study.configs(**values.without("arms")) == study.configs()
    assert study.grid(values.without("arms")) == study.configs()


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_cell_of_parameters_gives_the_published_ones(study):
    namespace = {}
    exec(parameters.cell(study.parameters), namespace)
    del namespace["__builtins__"]
    assert parse(namespace) == parse(study.parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", (3,)), ("0-4", (0, 1, 2, 3, 4)), ("[0, 1, 2]", (0, 1, 2)), (" 7, 0-1 ", (7, 0, 1))],
)
def test_seeds_are_read_from_text(text, expected):
    assert parameters.seeds(text) == expected


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30, unique=True))
def test_seeds_come_back_from_their_own_text(seeds):
    assert parameters.seeds(str(seeds)) == tuple(seeds)
    assert parameters.seeds(",".join(map(str, seeds))) == tuple(seeds)


@given(st.text(max_size=20))
def test_any_text_for_a_parameter_is_read_or_refused_in_words(text):
    for name in set(PARAMETERS) - {"definitions"}:
        try:
            parse({name: text})
            said = name
        except ValueError as error:
            said = str(error)
        assert name in said


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": True}, "lr: expected a number > 0"),
        ({"lr": float("inf")}, "lr: expected a number > 0"),
        ({"lr": 10**400}, "lr: expected a number > 0"),
        ({"epochs": None}, "epochs: expected a whole number"),
        ({"epochs": 10**9}, "from 1 to 1000000"),
        ({"dataset": "../data"}, "dataset name '../data': expected a lower-case word"),
        ({"arms": [1]}, "arms: expected a kernel or a schedule by name"),
        (
            {"arms": {"a/b": {"kind": "linear"}}},
            "names of 1 to 60 printable characters without '/'",
        ),
        ({"definitions": 3}, "definitions: expected a list of Python files"),
        ({"learning_rate": 1.0}, "unknown parameter 'learning_rate'; known: arms, batch_size"),
    ],
)
def test_values_that_do_not_fit_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        parse(given)


def test_a_notebook_is_read_and_what_papermill_injects_must_be_parameters():
    notebook = {"seeds": [0, 1], "epochs": 3, "other": 5, "In": ["", "seeds = [0, 1]\nother = 5"]}
    assert read(notebook) == {"seeds": (0, 1), "epochs": 3}
    notebook["In"].append("# Parameters\nepochs = 3\n")
    assert read(notebook) == {"seeds": (0, 1), "epochs": 3}
    notebook["In"].append("# Parameters\nepcohs = 3\n")
    with pytest.raises(ValueError, match=r"unknown parameter 'epcohs'.* Did you mean 'epochs'"):
        read(notebook)


def test_a_single_seed_may_be_a_number_as_papermill_makes_one_of_it():
    assert parse({"seeds": 0})["seeds"] == (0,)
    with pytest.raises(ValueError, match="seeds: expected whole numbers"):
        parse({"seeds": True})


@pytest.mark.parametrize(("text", "number"), [("1e-3", 1e-3), ("5E2", 500.0), ("-1.5e+2", -150.0)])
def test_a_number_that_yaml_takes_for_a_text_is_a_number(text, number):
    assert parse({"lr": text.removeprefix("-")})["lr"] == abs(number)
    arms = parse({"arms": {text: {"kind": "exponential", "k": text, "more": [text, "e3"]}}})["arms"]
    assert arms == {text: {"kind": "exponential", "k": number, "more": [number, "e3"]}}


def papermill_in_place(folder, end):
    """A book in whose chapter papermill is at work, or was."""
    marks = {"start_time": "2026-01-01T00:00:00", "end_time": end}
    cells = [{"cell_type": "code", "source": "", "metadata": {"tags": ["injected-parameters"]}}]
    chapter = folder / "v01_linear_or_none.ipynb"
    chapter.write_text(json.dumps({"metadata": {"papermill": marks}, "cells": cells}))
    return chapter


def test_papermill_is_stopped_where_it_writes_over_the_chapter_that_it_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "published_folder", lambda: tmp_path / "records")
    notebook = {"epochs": 3, "In": ["", "epochs = 12", "# Parameters\nepochs = 3\n"]}
    papermill_in_place(tmp_path, "2026-01-01T00:09:00")
    assert read(notebook) == {"epochs": 3}
    chapter = papermill_in_place(tmp_path, None)
    with pytest.raises(ValueError, match=f"papermill overwrites {chapter}, the chapter that"):
        read(notebook)


def test_the_paths_that_papermill_may_inject_are_no_parameters_and_must_differ(tmp_path):
    paths = {"PAPERMILL_INPUT_PATH": "a.ipynb", "PAPERMILL_OUTPUT_PATH": "b.ipynb"}
    injected = "# Parameters\n" + "".join(f"{name} = {path!r}\n" for name, path in paths.items())
    assert read({"epochs": 3, "In": ["", injected], **paths}) == {"epochs": 3}
    with pytest.raises(ValueError, match=r"papermill overwrites a\.ipynb"):
        read({"In": ["", injected], **paths, "PAPERMILL_OUTPUT_PATH": "a.ipynb"})


def test_an_arm_may_have_an_action_beside_its_kernel_and_the_error_says_where():
    kernel = {"kind": "exponential", "k": 5}
    static = {"kind": "static", "kernel": kernel}
    made = parameters.arm("mine", {"action": "cap", "schedule": kernel}, Run())
    assert made == parameters.arm("mine", {"action": "cap", "schedule": static}, Run())
    assert (made.action, made.schedule.kernel.k) == ("cap", 5)
    example = re.escape(json.dumps({"action": "cap", "schedule": kernel}))
    for wrong in ({**kernel, "action": "cap"}, {**static, "action": "cap"}):
        with pytest.raises(ValueError, match="arm 'mine': action is a setting of the run, not of"):
            parameters.arm("mine", wrong, Run())
    with pytest.raises(ValueError, match=f"next to the schedule: {example}"):
        parameters.arm("mine", {**kernel, "action": "cap"}, Run())


@pytest.mark.parametrize("kind", [{}, [], 3, None])
def test_a_kind_that_is_no_name_is_refused(kind):
    with pytest.raises(ValueError, match="arm 'mine': expected the name of a kernel"):
        parameters.arm("mine", {"kind": kind}, Run())
