"""Seeds and images as populations, against a library, a simulation and hand-made answers."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from numpy.typing import NDArray

from spatialnb.config.run import Run
from spatialnb.execution import runs
from spatialnb.execution.in_process import InProcess
from spatialnb.records import answers
from spatialnb.records import store as records_store
from spatialnb.records.store import RecordError, Store
from spatialnb.report import (
    answer_numbers,
    answer_rows,
    answer_table,
    judge_populations,
    population_numbers,
    population_rows,
    population_table,
)
from spatialnb.study import inference, populations
from spatialnb.study.claims import Claim
from spatialnb.study.judging import NoAnswersError, Settings, case, judge_cases
from spatialnb.study.results import Results
from spatialnb.study.study import Quick, Study


def crossed(
    seeds: int, images: int, sd: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A table with effects of seeds, of images and of both."""
    by_seed, by_image, rest = sd
    return (
        rng.normal(0.0, by_seed, (seeds, 1))
        + rng.normal(0.0, by_image, (1, images))
        + rng.normal(0.0, rest, (seeds, images))
    )


def test_over_seeds_it_is_the_t_interval_of_the_accuracies() -> None:
    points = crossed(6, 40, (1.0, 2.0, 3.0), np.random.default_rng(0)) + 0.7
    found = inference.mean_interval(populations.estimate(points, "seeds"))
    usual = inference.mean_interval(points.mean(axis=1).tolist())
    assert (found.estimate, found.low, found.high, found.n) == pytest.approx(
        (usual.estimate, usual.low, usual.high, 6)
    )


def test_over_images_it_is_the_standard_error_of_the_mean_image() -> None:
    points = crossed(5, 400, (1.0, 2.0, 3.0), np.random.default_rng(1))
    found = populations.estimate(points, "images")
    assert found.se == pytest.approx(points.mean(axis=0).std(ddof=1) / math.sqrt(400))
    assert found.df == pytest.approx(399)


def test_over_both_it_is_that_of_a_mixed_model() -> None:
    """The standard error of the mean from restricted maximum likelihood, crossed random effects."""
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    points = crossed(8, 12, (2.0, 2.0, 1.0), np.random.default_rng(2))
    rows = pd.DataFrame(
        [(s, i, points[s, i]) for s, i in itertools.product(range(8), range(12))],
        columns=["seed", "image", "points"],
    )
    rows["all"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM.from_formula(
            "points ~ 1",
            rows,
            groups="all",
            re_formula="0",
            vc_formula={"seed": "0 + C(seed)", "image": "0 + C(image)"},
        ).fit(reml=True)
    assert populations.estimate(points, "both").se == pytest.approx(fitted.bse.iloc[0], rel=1e-3)


@pytest.mark.parametrize("sd", [(1.0, 4.0, 6.0), (0.5, 8.0, 0.5), (0.0, 0.0, 5.0)])
def test_an_interval_over_both_covers_the_truth_as_often_as_it_says(
    sd: tuple[float, float, float],
) -> None:
    rng, covered = np.random.default_rng(3), 0
    for _ in range(600):
        points = crossed(10, 60, sd, rng)
        covered += 0.0 in inference.mean_interval(populations.estimate(points, "both"))
    assert covered / 600 >= 0.93  # of 95 %; above it where no effect has a spread of its own


def test_both_is_never_more_certain_than_one_of_them() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        points = crossed(4, 9, (rng.random(), rng.random(), 2.0), rng)
        ses = {name: populations.estimate(points, name).se for name in ("seeds", "images", "both")}
        assert ses["both"] >= max(ses["seeds"], ses["images"]) - 1e-12


def test_a_table_without_spread_is_a_point() -> None:
    found = populations.estimate(np.full((3, 5), 2.0), "both")
    assert inference.mean_interval(found).low == 2.0
    assert inference.t_test(found) == 0.0
    assert inference.t_test(populations.estimate(np.zeros((3, 5)), "both")) == 1.0


@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_one_seed_or_one_image_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least two seeds and two images"):
        populations.estimate(np.zeros(shape), "both")


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [-0.3, 0.1, 0.2, 0.4]])
def test_tests_of_an_estimate_are_those_of_its_samples(values: list[float]) -> None:
    n, sd = len(values), float(np.std(values, ddof=1))
    same = inference.Estimate(
        mean=float(np.mean(values)), se=sd / math.sqrt(n), df=n - 1, n=n, sd=sd
    )
    assert inference.t_test(same) == pytest.approx(inference.t_test(values))
    assert inference.not_below(same, -0.5) == pytest.approx(inference.not_below(values, -0.5))
    for around in (0.0, 0.2):
        assert inference.equivalence(same, 0.5, around) == pytest.approx(
            inference.equivalence(values, 0.5, around)
        )


# ── Verdicts ────────────────────────────────────────────────────────────────────────────────────

BEATS = Claim(chapter="v01", key="more", words="A beats B.", rule="beats", arm="a", against="b")


def answered(images: int, right: dict[str, float], claim: Claim = BEATS, missing: str = "") -> Any:
    """A case whose arms are right on the same share of images with every seed."""
    rng = np.random.default_rng(5)
    hard = rng.random(images)
    noise = {arm: rng.normal(0.0, 0.02, (5, images)) for arm in right}

    def hits(arm: str, seed: int) -> NDArray[np.bool_]:
        if arm == missing:
            raise NoAnswersError(f"the answers of {arm} are not recorded")
        return np.asarray(hard + noise[arm][seed] < right[arm])

    def samples(arm: str, metric: str) -> dict[int, float]:
        return {
            seed: 100.0 * float((hard + noise[arm][seed] < right[arm]).mean()) for seed in range(5)
        }

    return [[case(claim, samples, hits)]]


def test_what_holds_over_seeds_may_be_open_over_images() -> None:
    cases = answered(150, {"a": 0.54, "b": 0.52})
    verdicts = {
        population: judge_cases(cases, Settings(population=population))[0][0]  # type: ignore[arg-type]
        for population in ("seeds", "images", "both")
    }
    assert verdicts["seeds"].verdict == "holds"
    assert verdicts["both"].verdict == "undecided"
    for found in verdicts.values():
        assert found.interval.estimate == pytest.approx(verdicts["seeds"].interval.estimate)
    assert verdicts["both"].interval.low < verdicts["seeds"].interval.low


def test_a_large_difference_holds_over_both() -> None:
    found = judge_cases(answered(500, {"a": 0.7, "b": 0.5}), Settings(population="both"))[0][0]
    assert found.verdict == "holds"
    assert found.wins == 1.0


def test_claims_without_answers_are_not_judged_and_say_why() -> None:
    cases = answered(50, {"a": 0.7, "b": 0.5}, missing="b")
    found = judge_cases(cases, Settings(population="both"))[0][0]
    assert (found.verdict, found.reason) == ("not judged", "the answers of b are not recorded")


def test_a_claim_about_an_earlier_epoch_has_no_answers() -> None:
    early = Claim(
        chapter="v01",
        key="early",
        words="A is ahead.",
        rule="beats",
        arm="a",
        against="b",
        metric="accuracy@2",
    )
    found = judge_cases(answered(50, {"a": 0.7, "b": 0.5}, early), Settings(population="images"))[
        0
    ][0]
    assert found.verdict == "not judged"
    assert "only after the last epoch" in found.reason


# ── From the answers of trained runs ────────────────────────────────────────────────────────────

STUDY = Study(
    id="v77",
    title="A study",
    section="Section 77",
    question="Which is better?",
    changes="None.",
    arms={
        "none": Run(dataset="quick-digits", hidden=(12,), epochs=2, train_size=200),
        "less": Run(dataset="quick-digits", hidden=(12,), epochs=2, train_size=50),
    },
    baseline="none",
    seeds=(0, 1, 2),
    quick=Quick(dataset="quick-digits"),
    claims=(
        Claim(chapter="v77", key="more", words="More.", rule="beats", arm="none", against="less"),
        Claim(
            chapter="v77",
            key="early",
            words="At once.",
            rule="beats",
            arm="none",
            against="less",
            metric="accuracy@0",
        ),
    ),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Results:
    store = Store(tmp_path_factory.mktemp("store"))
    configs = {arm: [replace(run, seed=s) for s in (0, 1, 2)] for arm, run in STUDY.arms.items()}
    done = runs.complete(
        [run for of in configs.values() for run in of],
        store=store,
        backend=InProcess(),
        progress=False,
    )
    return Results(
        study=STUDY,
        dataset="quick-digits",
        epochs=2,
        seeds=(0, 1, 2),
        records={arm: {run.seed: done.run(run) for run in of} for arm, of in configs.items()},
        store=store,
    )


def test_over_seeds_it_is_the_published_verdict(trained: Results) -> None:
    judged = judge_populations([trained.cases()])
    published = judge_cases([trained.cases()])[0]
    assert [one["seeds"].claim.key for one in judged] == ["more"]  # the other needs answers
    assert judged[0]["seeds"] == published[0]
    both = judged[0]["both"].interval
    assert both.estimate == pytest.approx(published[0].interval.estimate)


def test_the_tables_have_the_same_numbers(trained: Results) -> None:
    judged = judge_populations([trained.cases()])
    row = population_rows(judged)[0]
    assert row["seeds_low"] == pytest.approx(judged[0]["seeds"].estimate.low)
    assert population_numbers(judged)["images-claims"] == "1"
    shown = population_table(judged)
    assert "Verdicts over seeds, images and both" in shown.html
    (cited,) = BeautifulSoup(shown.html, "html.parser").select("[data-cite]")
    numbers = json.loads(str(cited["data-cite"]))["numbers"]
    assert [one["name"] for one in numbers] == ["seeds", "images", "both"]
    assert len({one["interval"] for one in numbers}) == 3
    rows = answer_rows(trained)
    accuracy = np.mean(list(trained.samples("none", "accuracy").values()))
    assert rows.loc["none", "accuracy"] == pytest.approx(accuracy)
    assert rows.loc["none", "won"] == 0
    gained = rows.loc["less", "won"] - rows.loc["less", "lost"]
    images = len(trained.correct("none", 0))
    difference = rows.loc["less", "vote"] - rows.loc["none", "vote"]
    assert 100.0 * gained / images == pytest.approx(difference)
    assert "v77-answers" in answer_table(trained).html
    said = answer_numbers(trained)
    assert said["v77-less-vote"] == f"{rows.loc['less', 'vote']:.2f}"
    assert float(said["v77-less-vote-more"]) == pytest.approx(
        rows.loc["less", "vote"] - rows.loc["less", "accuracy"], abs=0.005
    )


def test_nothing_is_shown_of_claims_without_answers() -> None:
    cases = answered(50, {"a": 0.7, "b": 0.5}, missing="b")
    assert judge_populations(cases) == []
    assert population_numbers([])["images-wider"] == "–"


def copied(trained: Results, to: Path) -> Store:
    assert trained.store is not None
    shutil.copytree(trained.store.folders[0], to)
    return Store(to)


def damaged(store: Store, run: Run, **outcome: Any) -> None:
    path = store.path(answers.answers_id(run), "answer")
    assert path is not None
    record = records_store.read(path)
    part = {**record.outcome[run.dataset], **outcome}
    path.write_text(replace(record, outcome={run.dataset: part}).to_json(), encoding="utf-8")


@pytest.mark.parametrize("how", ["flipped", "cut", "other data"])
def test_answers_that_are_not_the_runs_are_refused(
    trained: Results, tmp_path: Path, how: str
) -> None:
    store = copied(trained, tmp_path / "store")
    run = trained.records["none"][0].run
    given = answers.answers_of(run, store)
    assert given is not None
    classes = given[run.dataset].tolist()
    if how == "flipped":
        damaged(store, run, classes=answers.pack([(one + 1) % 10 for one in classes]))
    elif how == "cut":
        damaged(store, run, classes=answers.pack(classes[:-2]), samples=len(classes) - 2)
    else:
        path = store.path(answers.labels_id(run.dataset), "answer")
        assert path is not None
        record = records_store.read(path)
        other = {"data": {"edition": run.dataset, "sha256": "0" * 64}}
        path.write_text(replace(record, provenance=other).to_json(), encoding="utf-8")
    message = (
        "true classes of other data" if how == "other data" else "do not give the recorded accuracy"
    )
    with pytest.raises(RecordError, match=message):
        replace(trained, store=store).correct("none", 0)
    assert len(replace(trained, store=store).correct("less", 1)) if how != "other data" else True


def test_a_held_out_run_has_no_test_answers(trained: Results) -> None:
    run = replace(trained.records["none"][0].run, validation_size=30)
    assert answers.correct(run, trained.store) is None
