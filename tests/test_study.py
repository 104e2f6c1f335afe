import dataclasses

import pytest
from synthetic import ARMS, CLAIMS, results, run_record, study

from spatialnb.config.run import Run
from spatialnb.priors.kernels import Linear
from spatialnb.priors.schedules import Static
from spatialnb.records.store import MissingError, Store
from spatialnb.study.study import Quick, Reported, UnpublishableWarning


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
        ({"seeds": []}, "expected 1 to 10000 seeds, got 0"),
        ({"seeds": "[]"}, "expected 1 to 10000 seeds, got 0"),
        ({"seeds": [1, 1]}, "expected no repeats, but 1 is listed twice"),
        ({"seeds": "0-3,2"}, "expected no repeats, but 2 is listed twice"),
        ({"seeds": [-1]}, "from 0 to 2147483647, got -1"),
        ({"seeds": [0.5]}, "got 0.5"),
        ({"seeds": [True]}, "got True"),
        ({"seeds": 3.0}, r"such as \[0, 1, 2\] or 0-9, got 3"),
        ({"seeds": "a"}, r"such as \[0, 1, 2\] or 0-9, got 'a'"),
        ({"seeds": "9-0"}, "expected a range from low to high"),
        ({"seeds": "0-1000000000"}, "at most 10000 seeds"),
        ({"seeds": range(10**9)}, "expected 1 to 10000 seeds, got 1000000000"),
        ({"epochs": 0}, "from 1 to 1000000, got 0"),
        ({"epochs": 2.0}, "from 1 to 1000000, got 2.0"),
        ({"epochs": True}, "from 1 to 1000000, got True"),
        ({"epochs": "many"}, "from 1 to 1000000, got 'many'"),
        ({"lr": 0}, "lr: expected a number > 0, such as 0.001, got 0"),
        ({"lr": float("nan")}, "got nan"),
        ({"batch_size": 0.5}, "batch_size: expected a whole number"),
        ({"hidden": 256}, r"a list of widths, such as \[256, 128\], got 256"),
        ({"hidden": [256, 0]}, "hidden: expected a whole number"),
        ({"epcohs": 3}, "unknown parameter 'epcohs'.* Did you mean 'epochs'"),
        ({"arms": {}}, "arms cannot be set for all of its runs"),
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
        ({"claims": CLAIMS[:1] * 2}, "two claims have the same key"),
        ({"arms": {**ARMS, "long": Run(dataset="mnist", epochs=6)}}, r"differ in epochs: \[5, 6\]"),
        (
            {
                "arms": {**ARMS, "conv": Run(dataset="mnist", epochs=5, network="convolutional")},
                "pairs": True,
            },
            "arm 'conv': only linear layers are kept for pairs",
        ),
        (
            {
                "arms": {**ARMS, "leaky": Run(dataset="mnist", epochs=5, activation="leaky_relu")},
                "pairs": True,
                "measure": "alignment",
            },
            "arm 'leaky': the alignment of two networks is computed with ReLU, not with leaky_relu",
        ),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        study(**changes)


def test_pairs_of_seeds_are_disjoint_and_an_odd_one_is_left_over():
    one = study()
    runs = one.configs(seeds=[0, 1, 2, 3, 4])["none"]
    assert [(a.seed, b.seed) for a, b, _ in one.pairs_of(runs)] == [(0, 1), (2, 3)]
    assert study(pairs=False).pairs_of(runs) == []


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


def test_lists_may_come_as_text_as_papermill_hands_them_on():
    one = study()
    assert one.configs(seeds="[0, 1, 2]") == one.configs(seeds="0-2") == one.configs(seeds=range(3))
    assert one.configs(seeds="4", hidden="[64, 32]") == one.configs(seeds=[4], hidden=(64, 32))


def test_settings_change_every_run_and_the_published_ones_change_none():
    one = study()
    (run,) = one.configs(seeds=[7], lr=0.001, batch_size=64, hidden=[32])["linear"]
    assert (run.learning_rate, run.batch_size, run.hidden) == (0.001, 64, (32,))
    assert one.configs(**{**one.parameters, "arms": None, "definitions": None}) == one.configs()


def test_a_setting_in_which_the_arms_differ_cannot_be_set_for_all():
    arms = {**ARMS, "slow": dataclasses.replace(ARMS["none"], learning_rate=1e-4)}
    one = study(arms=arms)
    assert "lr" not in one.parameters
    with pytest.raises(
        ValueError, match="lr cannot be set for all of its runs; settable are batch"
    ):
        one.configs(lr=0.001)


@pytest.mark.parametrize(
    "given",
    [
        Linear(floor=0.5),
        Static(kernel=Linear(floor=0.5)),
        {"kind": "linear", "floor": 0.5},
        {"kind": "static", "kernel": {"kind": "linear", "floor": 0.5}},
        {"schedule": {"kind": "static", "kernel": {"kind": "linear", "floor": 0.5}}},
    ],
    ids=["kernel", "schedule", "kernel as data", "schedule as data", "settings"],
)
def test_an_arm_of_ones_own_is_the_baseline_with_another_kernel(given):
    more = study().with_arms({"mine": given})
    assert more.added == ("mine",)
    assert more.arms["mine"] == dataclasses.replace(
        ARMS["none"], schedule=Static(kernel=Linear(floor=0.5))
    )


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"none": Linear()}, "arm 'none' already exists; rename yours"),
        (
            {"mine": {"kind": "linaer"}},
            "unknown kernel or schedule 'linaer'.* Did you mean 'linear'",
        ),
        ({"mine": {"kind": "linear", "flor": 1}}, "arm 'mine': unknown field 'flor'"),
        ({"mine": {"learning_rate": -1.0}}, "arm 'mine': .*learning_rate"),
        ({"mine": {"epochs": 3}}, "epochs is the same for all arms"),
        ({"mine": 3}, "expected a kernel, a schedule, or settings, got 3"),
    ],
)
def test_an_arm_that_cannot_be_read_is_refused(arms, message):
    with pytest.raises(ValueError, match=message):
        study().with_arms(arms)


def test_results_with_other_settings_or_more_arms_are_not_the_published_ones(tmp_path):
    one, store = study(pairs=False, metrics=("accuracy",), claims=(), reported=()), Store(tmp_path)
    for grid in (one.configs(lr=0.001), one.with_arms({"mine": Linear()}).configs()):
        for run in (run for arm in grid.values() for run in arm):
            store.add(run_record(run))
    slow = one.run(lr=0.001, store=store, train=False, progress=False)
    assert slow.settings == {"lr": 0.001}
    assert not slow.published
    more = one.run(arms={"mine": Linear()}, store=store, train=False, progress=False)
    assert more.arms[-1] == "mine"
    assert not more.published
    assert one.run(lr=0.003, store=store, train=False, progress=False).published


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
        borrowed_arms={
            "v00/linear": Run(dataset="mnist", epochs=5, schedule=Static(kernel=Linear()))
        },
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


# ── Trained by a notebook alone ─────────────────────────────────────────────────────────────────

DOUBT = "the code has uncommitted changes: a.py"


@pytest.fixture
def made(monkeypatch, tmp_path):
    """An empty store, and what would be trained, which is refused."""
    monkeypatch.setattr("spatialnb.records.provenance.doubt", lambda: DOUBT)
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path))
    monkeypatch.setattr("spatialnb.records.store.published_folder", lambda: tmp_path / "none")
    asked = []

    def refuse(new_runs, *_, **__):
        asked.append(new_runs)
        raise KeyboardInterrupt

    monkeypatch.setattr("spatialnb.execution.recording.record_missing", refuse)
    return asked


def test_records_that_could_not_be_published_are_warned_of_before_a_notebook_trains(made):
    with (
        pytest.warns(UnpublishableWarning, match=f"cannot be published: {DOUBT}. If") as said,
        pytest.raises(KeyboardInterrupt),
    ):
        study().run(seeds=[0])
    assert said[0].filename == __file__  # the line that asked for them
    assert len(made) == 1


def test_pairs_of_published_runs_are_warned_of_too(made, tmp_path):
    for by_seed in results(study(seeds=(0, 1))).records.values():
        for record in by_seed.values():
            Store(tmp_path).add(record)
    with pytest.warns(UnpublishableWarning), pytest.raises(KeyboardInterrupt):
        study().run(seeds=[0, 1])
    assert made == [[]]


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "quick-digits"},
        {"epochs": 2, "seeds": [0]},
        {"seeds": [99]},
    ],
    ids=["a quick edition", "other epochs", "another seed"],
)
def test_what_is_not_published_anyway_is_made_without_a_warning(given, made):
    with pytest.raises(KeyboardInterrupt):  # a warning would be an error
        study().run(**given)
    assert len(made) == 1


def test_an_arm_of_ones_own_is_made_without_a_warning_where_the_others_are_recorded(made, tmp_path):
    there = results(study(pairs=False, seeds=(0, 1)))
    for by_seed in there.records.values():
        for record in by_seed.values():
            Store(tmp_path).add(record)
    with pytest.raises(KeyboardInterrupt):
        study(pairs=False).run(seeds=[0, 1], arms={"mine": {"kind": "gaussian"}})
    assert [run.seed for run in made[0]] == [0, 1]


def test_nothing_is_said_where_nothing_is_trained_or_anybody_can_find_the_code(made, monkeypatch):
    with pytest.raises(MissingError):
        study().run(seeds=[0], train=False)
    monkeypatch.setattr("spatialnb.records.provenance.doubt", lambda: "")
    with pytest.raises(KeyboardInterrupt):
        study().run(seeds=[0])
