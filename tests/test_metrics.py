from dataclasses import replace

import pytest
from synthetic import ARMS, failed_record, pair_record, run_record

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.records.store import Record
from spatialnb.study.metrics import METRICS, NotRecordedError, measure, metric

RUN = ARMS["none"]  # five epochs: 93, 94, 95, 96, 97 %


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 97.0),
        ("accuracy@0", 93.0),
        ("accuracy@2", 95.0),
        ("gain@2", 2.0),
        ("epochs_to@93", 1.0),
        ("epochs_to@95", 3.0),
        ("epochs_to@95.5", 4.0),
        ("epochs_to@99", 6.0),  # never: one more than there were
        ("train_loss", 0.93),
        ("test_loss@0", 0.97),
        ("sparsity", 64.7),
        ("sparsity:0", 70.0),
    ],
)
def test_a_metric_of_a_run_is_read_from_its_outcome(name, expected):
    assert measure(run_record(RUN), name) == pytest.approx(expected, rel=1e-12)


def test_the_threshold_itself_counts_as_reached():
    record = run_record(RUN, test_accuracy=[0.1, 0.45, 0.5, 0.6, 0.7])
    assert measure(record, "epochs_to@45") == 2.0


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("cap_share", "cap_share", 25.0),
        ("cap_share@0", "cap_share", 50.0),
        ("target_distance", "target_distance", 0.25),
        ("accuracy:imdb", "test_accuracy:imdb", 25.0),
        ("accuracy:imdb@0", "test_accuracy:imdb", 50.0),
    ],
)
def test_quantities_that_some_runs_record_have_their_metric(name, key, expected):
    assert measure(run_record(RUN, **{key: [0.5, 0.25]}), name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("similarity", 0.02),
        ("similarity:0", 0.01),
        ("similarity_effective", 0.1),
        ("similarity_initial", 0.001),
        ("similarity_initial_effective", 0.09),
        ("similarity_permuted", 0.002),
        ("similarity_centred", 0.003),
        ("similarity_permuted_effective", 0.08),
    ],
)
def test_a_metric_of_a_pair_is_read_from_its_outcome(name, expected):
    assert measure(pair_record(RUN, RUN), name) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acuracy", "unknown metric 'acuracy'; known: accuracy, .* Did you mean 'accuracy'"),
        ("accuracy @2", "expected a name like accuracy"),
        ("epochs_to", "needs a number, e.g. epochs_to@45"),
        ("sparsity@3", "takes no number; ask for 'sparsity'"),
        ("weights:0", "has no parts; ask for 'weights'"),
    ],
)
def test_a_name_that_is_no_metric_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        metric(name)


@pytest.mark.parametrize("name", ["cap_share", "accuracy@5", "accuracy@2.5", "sparsity:7"])
def test_what_a_record_does_not_hold_is_an_error_of_its_own(name):
    with pytest.raises(NotRecordedError, match=f"has no {name}"):
        measure(run_record(RUN), name)


def test_a_failed_run_has_no_metric():
    with pytest.raises(ValueError, match="failed, so it has no accuracy"):
        measure(failed_record(RUN), "accuracy")


def test_a_metric_of_pairs_is_not_asked_of_a_run():
    with pytest.raises(ValueError, match="'similarity' needs a pair"):
        measure(run_record(RUN), "similarity")


def test_zeros_after_an_epoch_are_those_of_a_run_in_rounds():
    record = run_record(RUN, zeros=[0.0, 0.0, 0.5, 0.5, 0.75])
    assert [measure(record, f"zeros_after@{epoch}") for epoch in (1, 2, 4)] == [0.0, 50.0, 75.0]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_is(name):
    number = "@2" if METRICS[name].number != "none" else ""
    known = metric(name + number)
    assert known.title
    assert known.kind in ("run", "pair")
    assert "{}" not in known.title
    assert not number or "2" in known.title


def test_a_difference_of_percentages_is_in_points():
    assert metric("accuracy").difference_unit == "points"
    assert metric("similarity").difference_unit == ""


@pytest.mark.parametrize(
    ("settings", "zeros", "expected"),
    [
        ({}, None, 3072 * 256 + 256 * 128 + 128 * 10),
        ({"dataset": "mnist", "hidden": (8,)}, None, 784 * 8 + 8 * 10),
        ({"network": "convolutional", "hidden": (92,)}, None, 432 + 4608 + 2048 * 92 + 920),
        ({"sparse": Sparse(zeros=0.9)}, 0.75, 820_480 // 4),
    ],
)
def test_weights_are_counted_less_those_that_the_record_says_are_zero(settings, zeros, expected):
    run = replace(Run(), **settings)
    outcome = {"status": "finished", "epochs": {}, "final": {"zeros": zeros}}
    record = Record(kind="run", config=run.to_dict(), outcome=outcome)
    assert measure(record, "weights") == expected
