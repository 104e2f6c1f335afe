"""Answers: four bits an image, checked when they are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialnb import datasets
from spatialnb.commands import answers as command
from spatialnb.commands import publish
from spatialnb.config.run import Run, SecondTask
from spatialnb.execution import runs
from spatialnb.execution.in_process import InProcess
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records import answers
from spatialnb.records.store import Record, RecordError, Store
from spatialnb.studies import get
from spatialnb.training import loop, multitask

RUN = Run(dataset="quick-digits", hidden=(12,), epochs=2, train_size=100)
PROVENANCE = {"data": {"edition": "quick-digits", "sha256": "0" * 64}}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 15), max_size=99))
def test_what_is_packed_is_unpacked(classes: list[int]) -> None:
    packed = answers.pack(classes)
    assert answers.unpack(packed, len(classes)).tolist() == classes
    assert len(packed) <= 4 * (len(classes) // 6 + 2)


@pytest.mark.parametrize("classes", [[16], [-1], [3, 99]])
def test_a_class_that_four_bits_do_not_hold_is_refused(classes: list[int]) -> None:
    with pytest.raises(ValueError, match="expected classes from 0 to 15"):
        answers.pack(classes)


@pytest.mark.parametrize("schedule", [Static(), Static(kernel=Exponential())])
@pytest.mark.parametrize("held_out", [None, 30])
def test_answers_give_the_accuracy_that_is_recorded(schedule: Static, held_out: int | None) -> None:
    run = dataclasses.replace(RUN, schedule=schedule, validation_size=held_out)
    data = datasets.load(run.dataset)
    trained = loop.train(run, data)
    given = trained.answers[run.dataset]
    truth = data.test.y.tolist() if held_out is None else data.train.y[-held_out:].tolist()
    right = sum(a == b for a, b in zip(given, truth, strict=True)) / len(truth)
    name = "test_accuracy" if held_out is None else "validation_accuracy"
    assert right == trained.outcome["epochs"][name][-1]


def test_both_tasks_leave_their_answers() -> None:
    run = dataclasses.replace(
        RUN, train_size=None, hidden=(12, 8), second=SecondTask(dataset="quick-text"), epochs=1
    )
    data = (datasets.load("quick-digits"), datasets.load("quick-text"))
    trained = multitask.train(run, data)
    for one, suffix in zip(data, ("", ":second"), strict=True):
        given = trained.answers[one.name]
        right = sum(a == b for a, b in zip(given, one.test.y.tolist(), strict=True))
        assert right / len(given) == trained.outcome["epochs"][f"test_accuracy{suffix}"][-1]


def test_a_run_that_fails_has_no_answers() -> None:
    run = dataclasses.replace(RUN, optimizer="sgd", learning_rate=1e30)
    trained = loop.train(run)
    assert trained.outcome["status"] == "failed"
    assert trained.answers == {}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a run and its answers."""
    store = Store(tmp_path)
    outcome = {"status": "finished", "epochs": {"test_accuracy": [0.5]}, "final": {}}
    store.add(
        Record(kind="run", config=RUN.to_dict(), outcome=outcome, provenance=dict(PROVENANCE))
    )
    store.add(answers.record_of(RUN, {"quick-digits": [1, 2, 3]}, dict(PROVENANCE)))
    return store


def test_answers_are_found_by_their_run(store: Store) -> None:
    found = answers.answers_of(RUN, store)
    assert found is not None
    assert found["quick-digits"].tolist() == [1, 2, 3]
    assert answers.answers_of(dataclasses.replace(RUN, seed=1), store) is None


def test_answers_whose_file_was_cut_or_changed_are_refused(store: Store) -> None:
    path = store.path(answers.answers_id(RUN), "answer")
    assert path is not None
    text = path.read_text("utf-8")
    for wrong in (text[: len(text) // 2], text.replace('"classes": "', '"classes": "A')):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(RecordError, match="is not used"):
            answers.answers_of(RUN, store)


@pytest.mark.parametrize(("chapter", "published"), [("c7", True), ("c7a", False), ("m1", False)])
def test_answers_are_published_of_studies_whose_claims_use_them(
    chapter: str, published: bool, tmp_path: Path
) -> None:
    study = get(chapter)
    (run, *_) = study.configs()[study.baseline]
    edition = {"edition": run.dataset, "sha256": "0" * 64}
    made = {"commit": "0" * 40, "data": edition}
    Store(tmp_path / "mine").add(answers.record_of(run, {run.dataset: [1, 2, 3]}, made))
    chosen = publish.candidates([study], Store(tmp_path / "mine"), into=tmp_path / "published")
    assert bool(chosen.good) is published
    assert not chosen.bad


def _again(store: Store, outcome: dict[str, object], data: str) -> None:
    """Answers with a checksum that fits, in the place of those that are there."""
    path = store.path(answers.answers_id(RUN), "answer")
    assert path is not None
    path.unlink()
    provenance = {"data": {"edition": "quick-digits", "sha256": data * 64}}
    config = answers.answers_config(RUN)
    store.add(Record(kind="answer", config=config, outcome=outcome, provenance=provenance))


def test_answers_on_other_data_than_the_run_s_are_refused(store: Store) -> None:
    part = {"split": "test", "samples": 3, "classes": answers.pack([1, 2, 3])}
    _again(store, {"quick-digits": part}, data="1")
    with pytest.raises(RecordError, match="made on other data than the run"):
        answers.answers_of(RUN, store)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"split": "test", "samples": 9, "classes": answers.pack([1, 2, 3])},
            "expected 9 samples, got 4",
        ),
        ({"split": "test", "samples": 3, "classes": "?"}, "answers cannot be read"),
        ({"split": "test", "samples": 3}, "'classes'"),
    ],
)
def test_answers_of_another_form_are_refused(
    part: dict[str, object], message: str, store: Store
) -> None:
    _again(store, {"quick-digits": part}, data="0")
    with pytest.raises(RecordError, match=message):
        answers.answers_of(RUN, store)


def test_every_run_that_is_trained_leaves_its_answers(tmp_path: Path) -> None:
    grid = [RUN, dataclasses.replace(RUN, seed=1)]
    for backend in (None, InProcess()):
        store = Store(tmp_path / type(backend).__name__)
        runs.complete(grid, store=store, backend=backend, progress=False)
        for run in grid:
            found = answers.answers_of(run, store)
            assert found is not None
            here = loop.train(run).answers[run.dataset]
            assert found[run.dataset].tolist() == here


def test_answers_are_added_to_runs_that_come_out_as_recorded_and_to_no_others(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    other = dataclasses.replace(RUN, seed=1)
    runs.complete([RUN], store=store, backend=InProcess(), progress=False)
    path = store.path(answers.answers_id(RUN), "answer")
    assert path is not None
    before = path.read_text("utf-8")
    path.unlink()
    wrong = {"status": "finished", "epochs": {"test_accuracy": [0.5]}, "final": {}}
    store.add(
        Record(kind="run", config=other.to_dict(), outcome=wrong, provenance=dict(PROVENANCE))
    )
    done = command.add([RUN, other], store, InProcess(), progress=False)
    assert (done.identical, list(done.different)) == (1, [other])
    after = store.path(answers.answers_id(RUN), "answer")
    assert after is not None
    assert Record.from_json(after.read_text("utf-8")).outcome == Record.from_json(before).outcome
    assert store.find(answers.answers_id(other), "answer") is None
