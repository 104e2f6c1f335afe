import dataclasses

import pytest
from synthetic import ARMS, CLAIMS, results, study

from spatialnb.config import Run
from spatialnb.kernels import Linear
from spatialnb.records import Store
from spatialnb.schedules import Static
from spatialnb.study import Quick, Reported


def test_the_grid_is_every_arm_at_every_seed():
    grid = study().configs()
    assert list(grid) == ["none", "linear", "inverse"]
    assert [run.seed for run in grid["linear"]] == [0, 1, 2, 3, 4, 5]
    assert grid["linear"][3] == dataclasses.replace(ARMS["linear"], seed=3)


def test_epochs_seeds_and_data_can_be_others():
    grid = study(datasets=("cifar10",)).configs(seeds=[7], epochs=2, dataset="cifar10")
    (run,) = grid["none"]
    assert (run.seed, run.epochs, run.dataset) == (7, 2, "cifar10")


def test_the_quick_edition_brings_its_own_size():
    arms = {name: dataclasses.replace(run, train_size=10_000) for name, run in ARMS.items()}
    one = study(arms=arms, quick=Quick(dataset="quick-digits", train_size=500))
    assert one.configs(dataset="quick-digits")["none"][0].train_size == 500
    assert one.configs()["none"][0].train_size == 10_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "expected at least one"),
        ({"seeds": [1, 1]}, r"expected each once, got \[1, 1\]"),
        ({"seeds": [-1]}, "from 0 to 2147483647, got -1"),
        ({"seeds": [0.5]}, "got 0.5"),
        ({"seeds": [True]}, "got True"),
        ({"seeds": 3}, r"e.g. \[0, 1, 2\], got 3"),
        ({"seeds": "012"}, "got '012'"),
        ({"epochs": 0}, "at least 1, got 0"),
        ({"epochs": 2.0}, "at least 1, got 2.0"),
        ({"epochs": True}, "at least 1, got True"),
        ({"dataset": "imdb"}, "study v01: unknown dataset 'imdb'; known: mnist, quick-digits"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        study().configs(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "nnoe"}, "unknown arm 'nnoe'.* Did you mean 'none'"),
        ({"labels": {"x": "y"}}, "unknown arm 'x'"),
        ({"reported": (Reported(arm="x", metric="accuracy", value=1.0),)}, "unknown arm 'x'"),
        ({"reported": (Reported(arm="none", metric="x", value=1.0),)}, "unknown metric 'x'"),
        ({"metrics": ("x",)}, "unknown metric 'x'"),
        ({"claims": (dataclasses.replace(CLAIMS[0], arm="v02/x"),)}, "linear-wins: unknown arm"),
        ({"claims": (dataclasses.replace(CLAIMS[0], metric="x"),)}, "unknown metric 'x'"),
        ({"claims": CLAIMS[:1] * 2}, "two claims have one key"),
        ({"arms": {**ARMS, "long": Run(dataset="mnist", epochs=6)}}, r"differ in epochs: \[5, 6\]"),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        study(**changes)


def test_pairs_of_seeds_are_disjoint_and_an_odd_one_is_left_over():
    one = study()
    runs = one.configs(seeds=[0, 1, 2, 3, 4])["none"]
    assert [(a.seed, b.seed) for a, b in one.couples(runs)] == [(0, 1), (2, 3)]
    assert study(pairs=False).couples(runs) == []


def test_samples_are_by_seed_or_by_pair_of_seeds():
    found = results()
    assert list(found.samples("none", "accuracy")) == [0, 1, 2, 3, 4, 5]
    assert list(found.samples("none", "similarity")) == [(0, 1), (2, 3), (4, 5)]


def test_failed_runs_are_left_out_of_samples_and_of_pairs_and_named():
    found = results(failed=[("linear", 3)])
    assert list(found.samples("linear", "accuracy")) == [0, 1, 2, 4, 5]
    assert list(found.samples("linear", "similarity")) == [(0, 1), (4, 5)]
    assert found.failed("linear") == [3]
    first, second = found.findings()
    assert first.interval.n == 5
    assert "failed: linear at 3" in first.reason
    assert "failed: linear at 3" in second.reason


def test_samples_of_what_is_not_there_are_refused():
    with pytest.raises(ValueError, match="study v01: unknown arm 'linaer'"):
        results().samples("linaer", "accuracy")
    with pytest.raises(ValueError, match="measures no pairs"):
        results(study(pairs=False, claims=())).samples("none", "similarity")


def test_results_are_published_with_the_published_parameters_alone():
    assert results().published
    assert not results(seeds=[0, 1]).published
    assert not results(epochs=2).published
    assert not results(dataset="quick-digits").published


def test_claims_are_judged_on_data_and_never_on_a_quick_edition():
    assert [finding.verdict for finding in results().findings()] == ["holds", "holds"]
    quick = results(dataset="quick-digits")
    assert quick.quick
    assert [finding.verdict for finding in quick.findings()] == ["not judged", "not judged"]
    assert "quick-digits" in quick.findings()[0].reason


def test_an_arm_of_another_chapter_serves_a_claim_and_stands_in_no_table():
    one = study(
        others={"v00/linear": Run(dataset="mnist", epochs=5, schedule=Static(kernel=Linear()))},
        claims=(dataclasses.replace(CLAIMS[0], against="v00/linear"),),
    )
    found = results(one)
    assert found.arms == ("none", "linear", "inverse")
    assert found.findings()[0].interval.n == 6


def test_run_looks_up_what_is_recorded_and_trains_nothing(tmp_path):
    one, made = study(), results()
    store = Store(tmp_path)
    for kept in (*made.records.values(), *made.pairs.values()):
        for record in kept.values():
            store.add(record)
    found = one.run(store=store, progress=False)
    assert found.published
    assert found == made
