"""Every chapter's grid, arms, claims and reported numbers, as they were published."""

import dataclasses
import re
from concurrent.futures import Executor, Future

import pytest
import synthetic

from spatialnb import datasets, report, studies
from spatialnb.config.run import Run
from spatialnb.execution import planning, runs
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.trainer import Trained
from spatialnb.records.store import RecordError, Store
from spatialnb.studies import STUDIES as EVERY
from spatialnb.study.results import QUICK

STUDIES = {study.id: study for study in studies.part("I")}
"""The report's own; a chapter that is added later is none of them."""

SEEDS = {"v07": 10}
"""Seeds of the published tables, where they are not `MOST`."""

MOST = 20

GRIDS = {
    "v01": ("none", "mnist", 5, ("cifar10-jpeg", "cifar10")),
    "v02": ("none", "mnist", 5, ("cifar10-jpeg", "cifar10")),
    "v03": ("none", "mnist", 5, ("cifar10-jpeg", "cifar10")),
    "v04": ("none", "mnist", 15, ("cifar10-jpeg", "cifar10")),
    "v05": ("none", "cifar10-jpeg", 12, ("cifar10", "mnist")),
    "v06": ("none", "cifar10-jpeg", 12, ("cifar10", "mnist")),
    "v07": ("no spatial", "cifar10-jpeg", 12, ()),
    "v08": ("multiply none", "cifar10-jpeg", 12, ("cifar10", "mnist")),
    "v09": ("to zero", "cifar10-jpeg", 12, ("cifar10", "mnist")),
    "v10": ("k = 3", "cifar10-jpeg", 12, ("cifar10", "mnist")),
    "v11": ("none", "cifar10-jpeg", 12, ("cifar10", "mnist")),
}
"""Baseline, edition, epochs, and the other editions that the chapter may be run on."""

# The rows of the report's results tables, as they are printed, under our names of the arms.
TABLES = {
    "v01": (
        ("accuracy", "similarity"),
        """
        none               | 97.69%         | 0.018
        linear             | 97.56%         | 0.007
        """,
    ),
    "v02": (
        ("accuracy", "similarity"),
        """
        none               | 97.43%         | 0.048
        linear             | 97.22%         | 0.038
        """,
    ),
    "v03": (
        ("accuracy", "similarity"),
        """
        inverse            | 97.66%         | 0.041
        none               | 97.43%         | 0.048
        linear             | 97.22%         | 0.038
        exponential        | 97.20%         | 0.020
        gaussian           | 97.09%         | 0.018
        """,
    ),
    "v04": (
        ("accuracy", "similarity"),
        """
        none → linear      | 96.62%         | 0.057
        linear → none      | 96.39%         | 0.051
        none               | 96.00%         | 0.052
        linear             | 95.88%         | 0.044
        """,
    ),
    "v05": (
        ("accuracy", "similarity"),
        """
        exponential        | 50.53%         | 0.0424
        none → exponential | 50.16%         | 0.0405
        linear             | 49.65%         | 0.0447
        none → linear      | 49.63%         | 0.0444
        linear → none      | 48.63%         | 0.0464
        none               | 48.16%         | 0.0495
        exponential → none | 47.83%         | 0.0503
        """,
    ),
    "v06": (
        ("accuracy", "similarity"),
        """
        none               | 48.00% ± 0.46% | 0.0486
        exponential        | 50.48% ± 0.35% | 0.0256
        shuffled 1000      | 50.26% ± 0.44% | 0.0237
        shuffled 2000      | 50.04% ± 0.67% | 0.0015
        """,
    ),
    "v07": (
        ("accuracy", "accuracy:second"),
        """
        separate           | 46.92%         | 83.29%
        no spatial         | 45.94%         | 82.40%
        spatial decay      | 45.25%         | 82.61%
        """,
    ),
    "v08": (
        ("accuracy",),
        """
        multiply none        | 48.00% ± 0.46%
        multiply exponential | 50.48% ± 0.35%
        multiply shuffled    | 50.26% ± 0.44%
        cap none             | 48.00% ± 0.46%
        cap exponential      | 47.89% ± 0.72%
        cap shuffled         | 47.96% ± 0.66%
        """,
    ),
    "v09": (
        ("accuracy",),
        """
        to zero            | 47.68% ± 0.29%
        to exponential     | 26.61% ± 0.61%
        to shuffled        | 27.18% ± 0.95%
        """,
    ),
    "v10": (
        ("accuracy", "sparsity"),
        """
        k = 3              | 50.34% ± 0.28% | 0%
        k 3 → 15           | 52.59% ± 0.34% | 64.7%
        k 3 → 10           | 51.66% ± 0.41% | 48.0%
        k 1 → 15           | 51.89% ± 0.52% | 64.7%
        k = 15             | 49.21% ± 0.39% | 64.7%
        """,
    ),
    "v11": (
        ("accuracy", "sparsity"),
        """
        k 3 → 15           | 52.59% ± 0.34% | 64.7%
        k 3 → 30           | 52.91% ± 0.35% | 81.4%
        k 3 → 50           | 53.03% ± 0.16% | 88.6%
        k 3 → 75           | 52.51% ± 0.31% | 92.3%
        k 3 → 100          | 52.57% ± 0.28% | 94.2%
        """,
    ),
}

# v11's second table has a row an epoch and a column an arm.
BY_EPOCH = (
    ("none", "exponential", "k 3 → 50"),
    """
    0  | 40.1% | 41.7% | 41.4%
    2  | 43.4% | 45.6% | 45.8%
    4  | 46.2% | 47.9% | 48.7%
    6  | 46.3% | 48.8% | 50.4%
    11 | 48.0% | 50.5% | 53.0%
    """,
)


def cells_of(text):
    """The rows of a printed table, cell by cell."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


ARMS = {chapter: [row[0] for row in cells_of(text)] for chapter, (_, text) in TABLES.items()}
ARMS["v11"] = ["none", "exponential", *ARMS["v11"]]

SHARED = [
    ("v03/none", "v02/none"),
    ("v03/linear", "v02/linear"),
    ("v06/none", "v05/none"),
    ("v06/exponential", "v05/exponential"),
    ("v08/multiply none", "v06/none"),
    ("v08/multiply exponential", "v06/exponential"),
    ("v08/multiply shuffled", "v06/shuffled 1000"),
    ("v10/k = 3", "v05/exponential"),
    ("v10/k 3 → 15", "v11/k 3 → 15"),
    ("v11/none", "v05/none"),
    ("v11/exponential", "v05/exponential"),
]

every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
every_claim = pytest.mark.parametrize(
    "claim",
    [claim for study in STUDIES.values() for claim in study.claims],
    ids=lambda claim: f"{claim.chapter}-{claim.key}",
)


def printed(text):
    """A cell of the report as (value, sd): ``48.00% ± 0.46%``."""
    value, _, sd = text.replace("%", "").partition("±")
    return float(value), float(sd) if sd else None


def reported(chapter):
    """Every cell of the report's results tables of a chapter."""
    names, text = TABLES[chapter]
    cells = {
        (arm, name): printed(cell)
        for arm, *row in cells_of(text)
        for name, cell in zip(names, row, strict=True)
    }
    if chapter == "v11":
        arms, text = BY_EPOCH
        cells |= {
            (arm, f"accuracy@{epoch}"): printed(cell)
            for epoch, *row in cells_of(text)
            for arm, cell in zip(arms, row, strict=True)
        }
    return cells


def one_epoch(study):
    """One seed and one epoch of a chapter on its quick edition."""
    grid = study.configs(seeds=[0], epochs=1, dataset=study.quick.dataset)
    return [run for arm in grid.values() for run in arm]


# ── Grids ───────────────────────────────────────────────────────────────────────────────────────


def test_the_report_has_eleven_chapters_in_order():
    assert list(STUDIES) == [f"v{number:02}" for number in range(1, 12)]


@every_study
def test_a_chapter_has_its_arms_in_the_order_of_its_tables(study):
    assert list(study.arms) == ARMS[study.id]


@every_study
def test_a_chapter_has_its_baseline_its_data_and_its_epochs(study):
    assert (study.baseline, study.dataset, study.epochs, study.datasets) == GRIDS[study.id]


@every_study
def test_the_published_seeds_are_counted_from_0(study):
    assert study.seeds == tuple(range(SEEDS.get(study.id, MOST)))


@every_study
def test_a_chapter_has_a_question_and_says_what_changed(study):
    assert study.section.startswith(f"v{int(study.id[1:])} - ")
    assert study.question.endswith("?")
    first = "The first experiment." if study.id == "v01" else "Changes relative to v"
    assert study.changes.startswith(first)


@every_study
def test_a_quick_edition_is_small_and_needs_no_data(study):
    quick = study.quick
    grid = study.configs(quick.seeds, quick.epochs, quick.dataset)
    every = [run for arm in grid.values() for run in arm]
    assert len(every) < 40
    assert all(run.epochs <= 3 for run in every)
    assert all(name.startswith(QUICK) for run in every for name in planning.editions(run))


@every_study
def test_a_chapter_can_be_run_on_every_edition_that_it_names(study):
    for edition in (study.dataset, *study.datasets):
        grid = study.configs(seeds=[0], dataset=edition)
        assert {run.dataset for arm in grid.values() for run in arm} == {edition}


# ── Shared runs ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("one", "other"), SHARED)
def test_chapters_that_ask_for_the_same_run_share_its_record(one, other):
    ids = []
    for name in (one, other):
        chapter, arm = name.split("/")
        ids.append([run.id for run in STUDIES[chapter].configs(seeds=[0, 7])[arm]])
    assert ids[0] == ids[1]


def test_no_other_runs_are_shared():
    every = [run.id for study in STUDIES.values() for run in study.arms.values()]
    assert len(every) - len(set(every)) == len({one for one, _ in SHARED})


def test_v2_compares_itself_with_the_runs_of_v1():
    grid = STUDIES["v02"].configs(seeds=[3])
    ours = STUDIES["v01"].configs(seeds=[3])
    assert {name: grid[f"v01/{name}"] for name in ours} == ours


class Counting(Executor):
    """Gives a made record for every run that it is asked for, and trains nothing."""

    def __init__(self):
        self.asked = []

    def submit(self, work, config, *rest):
        run = Run.from_dict(config)
        self.asked.append(run)
        future = Future()
        future.set_result(Trained(synthetic.run_record(run)))
        return future


@pytest.mark.parametrize("quick", [False, True])
def test_a_run_that_several_chapters_share_is_trained_once_for_all_of_them(
    quick, tmp_path, monkeypatch
):
    monkeypatch.setattr(datasets, "load", lambda edition: None)
    grids = {
        study.id: one_epoch(study)
        if quick
        else [run for arm in study.configs(seeds=[0]).values() for run in arm]
        for study in STUDIES.values()
    }
    every = [run for grid in grids.values() for run in grid]
    store, executor = Store(tmp_path), Counting()
    assert len(runs.missing(every, store)) == len({run.id for run in every})
    runs.complete(every, store=store, backend=ExecutorBackend(executor), progress=False)
    asked = [run.id for run in executor.asked]
    assert sorted(asked) == sorted({run.id for run in every})
    if not quick:
        assert len(asked) == 37
    assert [chapter for chapter, grid in grids.items() if runs.missing(grid, store)] == []


def test_what_a_chapter_trained_is_missing_in_no_chapter_that_shares_it(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda edition: None)
    store = Store(tmp_path)
    grids = {
        chapter: [run for arm in STUDIES[chapter].configs(seeds=[0]).values() for run in arm]
        for chapter in ("v05", "v06", "v08", "v10", "v11")
    }
    asked = {}
    for chapter, grid in grids.items():
        executor = Counting()
        runs.complete(grid, store=store, backend=ExecutorBackend(executor), progress=False)
        asked[chapter] = len(executor.asked)
    assert asked == {"v05": 7, "v06": 2, "v08": 3, "v10": 4, "v11": 4}


# ── What the report prints ──────────────────────────────────────────────────────────────────────


@every_study
def test_every_number_of_the_results_tables_stands_in_its_study_once(study):
    ours = {(cell.arm, cell.metric): (cell.value, cell.sd) for cell in study.reported}
    assert ours == reported(study.id)
    assert len(study.reported) == len(ours)


@every_study
def test_what_the_report_tabulates_a_chapter_shows(study):
    names = {cell.metric for cell in study.reported if "@" not in cell.metric}
    assert names <= set(study.metrics)


# ── Claims ──────────────────────────────────────────────────────────────────────────────────────


def test_no_two_claims_of_the_report_say_the_same_words_in_one_chapter():
    words = [(c.chapter, c.words) for study in STUDIES.values() for c in study.claims]
    assert len(set(words)) == len(words) == 52


@every_claim
def test_half_a_point_of_accuracy_is_the_margin_of_every_claim_about_it(claim):
    if claim.unit == "points" or claim.unit == "epochs":
        assert claim.margin == 0.5
    elif claim.rule != "between":
        assert claim.metric == "similarity"
        assert claim.margin in (0.01, 0.03)


def printed_value(chapter, arm, metric):
    """What the report prints for an arm, or None. ``v01/none`` is an arm of another chapter."""
    other, slash, name = arm.partition("/")
    cells = reported(other if slash else chapter)
    if metric.startswith("gain@"):
        first, last = (
            cells[arm, f"accuracy@{epoch}"][0] for epoch in (metric.partition("@")[2], 11)
        )
        return last - first
    cell = cells.get((name if slash else arm, metric))
    return None if cell is None else cell[0]


def printed_size(claim, metric):
    """The size of the claim by the report's tables, that of the worst comparison; None without."""
    sizes = []
    for arms, against in claim.comparisons:
        sides = [[printed_value(claim.chapter, arm, metric) for arm in arms]]
        if against:
            sides.append([printed_value(claim.chapter, arm, metric) for arm in against])
        if any(value is None for side in sides for value in side):
            return None
        first, second = (sum(side) / len(side) for side in [*sides, [claim.than]][:2])
        sizes.append(round(100.0 * first / second, 1) if claim.as_share else first - second)
    return min(sizes)


@every_claim
def test_the_reported_size_of_a_claim_is_that_of_the_reports_tables(claim):
    if claim.key in ("exponential-faster", "sharpening-faster"):
        assert claim.reported is None, "the report prints no epochs for these"
        return
    size = printed_size(claim, claim.metric)
    if size is None:  # the end of v11's table by epoch
        size = printed_size(claim, f"{claim.metric}@11")
    # Differences of printed numbers are exact to their last digit, and leave about 1e-14.
    assert claim.reported == pytest.approx(size, abs=1e-9)


# ── From records to tables ──────────────────────────────────────────────────────────────────────


def made(study):
    """Results of the published grid from made records."""
    found = synthetic.results(study)
    if study.id != "v07":
        return found
    two = {
        arm: {
            seed: synthetic.run_record(
                record.run, **{"test_accuracy:second": record.outcome["epochs"]["test_accuracy"]}
            )
            for seed, record in records.items()
        }
        for arm, records in found.records.items()
    }
    return dataclasses.replace(found, records=two)


@every_study
def test_published_records_judge_every_claim_and_fill_every_cell(study):
    found = made(study)
    assert found.published
    rows = report.table_rows(study, found)
    assert [row for row in rows if row["mean"] is None or not row["n"]] == []
    assert [f.claim.key for f in found.findings() if f.verdict == "not judged"] == []
    said = report.numbers(found)
    assert said[f"{study.id}-claims"] == str(len(study.claims))
    assert not [key for key, text in said.items() if re.search(r"\bnan\b|None", text)]
    assert not any(set(key) & set(":@ /→=") for key in said)


def stored(found, folder):
    """The records of results in a store."""
    store = Store(folder)
    for kept in (*found.records.values(), *found.pairs.values()):
        for record in kept.values():
            store.add(record)
    return store


def test_results_are_of_the_first_seeds_that_every_arm_has(tmp_path):
    study = synthetic.study(seeds=(0, 1, 2, 3, 4, 5))
    found = synthetic.results(study)
    store = stored(found, tmp_path)
    assert study.recorded(store) == found
    for seed, left in [(5, (0, 1, 2, 3)), (3, (0, 1)), (2, (0, 1))]:
        store.path(found.records["linear"][seed].id).unlink()
        some = study.recorded(store)
        assert some.seeds == left
        assert some.interim
        assert not some.published
    store.path(found.records["none"][1].id).unlink()
    assert study.recorded(store) is None


def test_results_wait_for_their_pairs(tmp_path):
    study = synthetic.study(seeds=(0, 1, 2, 3))
    found = synthetic.results(study)
    store = stored(found, tmp_path)
    store.path(found.pairs["linear"][2, 3].id, "pair").unlink()
    assert study.recorded(store) is None


def test_a_damaged_record_is_an_error_and_not_a_missing_one(tmp_path):
    study = synthetic.study(seeds=(0, 1))
    found = synthetic.results(study)
    store = stored(found, tmp_path)
    store.path(found.records["linear"][1].id).write_text("{")
    with pytest.raises(RecordError, match="not JSON"):
        study.recorded(store)


def test_the_ledger_judges_what_is_recorded_and_says_what_is_not(tmp_path, monkeypatch):
    first = synthetic.study(seeds=(0, 1, 2, 3))
    store = stored(synthetic.results(first), tmp_path)
    later = dataclasses.replace(first, id="v02", seeds=(5, 6))
    monkeypatch.setattr(studies, "STUDIES", {"v01": first, "v02": later})
    findings = studies.ledger(store)
    assert [found.verdict == "not judged" for found in findings] == [False, False, True, True]
    assert findings[2].reason == "its runs are not all recorded yet"


def test_part_ii_has_a_ledger_of_its_own():
    parts = [studies.ledger(), studies.controls()]
    chapters = [{found.claim.chapter for found in findings} for findings in parts]
    part_ii = {study.id for study in studies.STUDIES.values() if study.id[0] == "c"}
    claiming = {name for name in part_ii if studies.get(name).claims}
    assert chapters == [set(STUDIES), claiming]
    assert {"c2", "c2b"} <= claiming


def test_studies_are_chosen_by_name_each_once_and_an_unknown_one_is_refused():
    assert [study.id for study in studies.select(["v03", "v01", "v03"])] == ["v03", "v01"]
    everything = [study.id for study in studies.select(["v03", "all"])]
    assert everything[0] == "v03"
    assert sorted(everything) == sorted(EVERY)
    with pytest.raises(
        ValueError, match=r"unknown study 'v1'; known: c2, .*v01, .*Did you mean 'v1"
    ):
        studies.select(["v1"])
