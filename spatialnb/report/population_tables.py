"""Verdicts over seeds, over images and over both, and tables of the networks' predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any, get_args

import numpy as np
import pandas as pd

from spatialnb.analysis import votes
from spatialnb.records import answers
from spatialnb.report.citation import LEVEL, cited, cited_row, derived_parts
from spatialnb.report.display import Shown
from spatialnb.report.findings import chapter_link, mark
from spatialnb.report.formatting import NOTHING, SYMBOLS, bounds, number, slug
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.sources import sources
from spatialnb.report.tables import json_number
from spatialnb.study.claims import Finding
from spatialnb.study.judging import Case, Settings, judge_cases
from spatialnb.study.populations import Population
from spatialnb.study.results import Results

POPULATIONS: tuple[Population, ...] = get_args(Population)
"""All populations: seeds, images, both."""
Judged = Mapping[Population, Finding]
"""The findings on one claim, by population."""


def judge_populations(chapters: Sequence[Sequence[Case]]) -> list[Judged]:
    """Judge, for every population, the claims whose answers are recorded; in order."""
    found = {
        population: [
            one
            for chapter in judge_cases(chapters, Settings(population=population))
            for one in chapter
        ]
        for population in POPULATIONS
    }
    judged = [
        dict(zip(POPULATIONS, together, strict=True))
        for together in zip(*found.values(), strict=True)
    ]
    return [one for one in judged if one["both"].verdict != "not judged"]


def population_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """JSON data, one object per claim, with the 95 % interval for each population."""
    rows = []
    for one in judged:
        claim = one["seeds"].claim
        row = {
            "chapter": claim.chapter,
            "key": claim.key,
            "claim": claim.words,
            "estimate": json_number(one["seeds"].estimate.estimate),
            "unit": claim.unit,
            "n": one["seeds"].interval.n,
        }
        for name, found in one.items():
            row |= {
                f"{name}_low": json_number(found.estimate.low),
                f"{name}_high": json_number(found.estimate.high),
                f"{name}_verdict": found.verdict,
            }
        rows.append(row)
    return rows


def population_table(judged: Sequence[Judged], pages: Mapping[str, str] | None = None) -> Shown:
    """A table of claims with answers: estimate, and verdict with interval for each population.

    `pages` are the chapters' pages by id, for links.
    """
    data = pd.DataFrame(
        [_cells(one) for one in judged],
        index=[replace(_named(one, pages or {}), sort=place) for place, one in enumerate(judged)],
    )
    title = "Verdicts over seeds, images and both"
    note = (
        "D: the difference that the claim is about, in points, and below each verdict its 95 % "
        "interval. Seeds: other networks on these test images. Both: other networks on other "
        "images. Images: these networks on other images."
    )
    html = (
        as_html(data, title, "populations", corner="claim")
        + f"<p>{escape(note)}</p>"
        + downloads("populations", pd.DataFrame(population_rows(judged)))
    )
    return Shown(html, as_text(data, title) + "\n" + note)


def population_numbers(judged: Sequence[Judged]) -> dict[str, str]:
    """Values to glue on verdicts over images.

    ``images-claims`` is the number of claims that could be judged. ``images-changed-images`` and
    ``images-changed-both`` count claims whose verdict differs from that over seeds, and
    ``images-lost-both`` those among them that held over seeds. ``images-wider`` is the median ratio
    of the width of the interval over both to that over seeds.
    """
    changed = {
        name: [one for one in judged if one[name].verdict != one["seeds"].verdict]
        for name in ("images", "both")
    }
    held = [one for one in changed["both"] if one["seeds"].verdict == "holds"]
    ratios = [
        _width(one["both"]) / _width(one["seeds"]) for one in judged if _width(one["seeds"]) > 0.0
    ]
    return {
        "images-claims": str(len(judged)),
        "images-changed-images": str(len(changed["images"])),
        "images-changed-both": str(len(changed["both"])),
        "images-lost-both": str(len(held)),
        "images-wider": number(float(np.median(ratios)), 1) if ratios else NOTHING,
    }


def _width(found: Finding) -> float:
    return found.estimate.high - found.estimate.low


def _named(one: Judged, pages: Mapping[str, str]) -> Cell:
    """A claim's cell, with the citation of D and its interval for each population."""
    claim = one["seeds"].claim
    numbers = {
        str(name): derived_parts(
            what=f"{claim.chapter}, {claim.words} Over {name}",
            value=f"{number(found.estimate.estimate, 2, claim.is_difference)} {claim.unit}",
            interval=bounds(found.estimate, 2, claim.is_difference),
            n=found.interval.n,
            of="seeds",
            also=f"Verdict: {found.verdict}",
            arms=claim.arms,
        )
        for name, found in one.items()
    }
    cell = cited_row(
        f"{claim.chapter}. {claim.words}",
        f"images-{claim.chapter}-{claim.key}",
        numbers,
        escape(claim.words),
    )
    return replace(cell, markup=chapter_link(claim.chapter, pages) + cell.markup)


def _cells(one: Judged) -> dict[str, Cell]:
    first = one["seeds"]
    cells = {
        "D": Cell(
            number(first.estimate.estimate, 2, first.claim.is_difference),
            sort=first.estimate.estimate,
        )
    }
    for name in ("seeds", "both", "images"):  # what scrolls out of view is what matters least
        found = one[name]
        cells[name] = Cell(
            f"{SYMBOLS[found.verdict]} {found.verdict}",
            below=bounds(found.estimate, 2, found.claim.is_difference),
            sort=list(SYMBOLS).index(found.verdict),
            markup=mark(found.verdict),
        )
    return cells


# ── Predictions of the networks ─────────────────────────────────────────────────────────────────


def answer_rows(results: Results) -> pd.DataFrame:
    """Statistics of the networks' predictions, for each arm whose answers are all recorded.

    Columns, in percent except for counts: ``accuracy``, the mean over seeds; ``vote``, the accuracy
    of the class that most seeds predict; ``agreement``, between two seeds; ``won`` and ``lost``,
    the number of images on which this vote is right and the baseline's is wrong, and vice versa;
    and the accuracy on each class, ``class 0`` and so on.
    """
    given = {arm: _answers(results, arm) for arm in results.arms}
    rows, base = {}, None
    order = sorted(results.arms, key=lambda arm: arm != results.study.baseline)
    for arm in order:
        found = given[arm]
        if found is None:
            continue
        table, true = found
        classes = int(true.max()) + 1
        right = votes.vote(table, classes) == true
        base = right if arm == results.study.baseline else base
        by_class = votes.accuracy_by_class(table, true, classes).mean(axis=0)
        rows[arm] = {
            "seeds": len(table),
            "accuracy": 100.0 * float((table == true).mean()),
            "vote": 100.0 * float(right.mean()),
            "agreement": 100.0 * votes.agreement(table, classes),
            "won": None if base is None else int((right & ~base).sum()),
            "lost": None if base is None else int((base & ~right).sum()),
            **{f"class {number}": 100.0 * float(v) for number, v in enumerate(by_class)},
        }
    data = pd.DataFrame.from_dict(rows, orient="index")
    return data.reindex([arm for arm in results.arms if arm in rows])


def answer_numbers(results: Results) -> dict[str, str]:
    """Values of :func:`answer_rows` to glue, by keys like ``c9-nearest-vote``.

    With ``-vote`` (%), ``-vote-more`` (points above the mean accuracy), ``-agree`` (%).
    """
    said = {}
    for arm, row in answer_rows(results).iterrows():
        key = f"{results.study.id}-{slug(str(arm))}"
        said[f"{key}-vote"] = number(row["vote"], 2)
        said[f"{key}-vote-more"] = number(row["vote"] - row["accuracy"], 2)
        said[f"{key}-agree"] = number(row["agreement"], 1)
    return said


def answer_table(results: Results) -> Shown:
    """The statistics of :func:`answer_rows` as a table, with the range of accuracies by class."""
    rows = answer_rows(results)
    by_class = [name for name in rows.columns if str(name).startswith("class ")]
    labels, base = results.study.labels, results.study.baseline
    data = pd.DataFrame(
        {
            "accuracy (%)": [Cell(number(v, 2), sort=v) for v in rows["accuracy"]],
            "vote (%)": [Cell(number(v, 2), sort=v) for v in rows["vote"]],
            "two seeds agree (%)": [Cell(number(v, 1), sort=v) for v in rows["agreement"]],
            "won": [_count(v, arm == base) for arm, v in rows["won"].items()],
            "lost": [_count(v, arm == base) for arm, v in rows["lost"].items()],
            "classes (%)": [
                Cell(f"{number(low, 1)} to {number(high, 1)}", sort=low)
                for low, high in zip(
                    rows[by_class].min(axis=1), rows[by_class].max(axis=1), strict=True
                )
            ],
        },
        index=[_answered(results, str(arm), row) for arm, row in rows.iterrows()],
    )
    title = f"What the networks answer ({results.study.id})"
    note = (
        "Vote: the accuracy of the class that most seeds give. Won, lost: the number of test "
        f"images on which the vote is right and that of {labels.get(base, base)} is wrong, and the "
        "reverse. Classes: the lowest and the highest accuracy on one class."
    )
    html = (
        as_html(data, title, corner="arm")
        + f"<p>{escape(note)}</p>"
        + downloads(f"{results.study.id}-answers", rows.reset_index(names="arm"))
    )
    return Shown(html, as_text(data, title) + "\n" + note)


def _answered(results: Results, arm: str, row: pd.Series[Any]) -> Cell:
    """An arm's cell, with the citation of the accuracy of its vote."""
    study, label = results.study, results.study.label(arm)
    parts = {
        "what": f"{study.id}, {label}, accuracy of a vote of networks",
        "value": f"{number(row['vote'], 2)} %",
        "interval": "",
        "level": LEVEL,
        "n": int(row["seeds"]),
        "of": "seeds",
        "arms": [arm],
        **sources(results, [arm], "accuracy"),
    }
    return cited(label, f"{study.id}-answers-{slug(arm)}", parts)


def _count(value: float | None, is_base: bool) -> Cell:
    missing = is_base or value is None or np.isnan(value)
    return Cell(NOTHING if missing else f"{value:.0f}", sort=None if missing else value)


def _answers(results: Results, arm: str) -> tuple[votes.Classes, votes.Classes] | None:
    """Answers (S, N) of the arm's runs that did not fail, and the true classes (N,)."""
    true = answers.true_classes(results.dataset, results.store)
    runs = [one.run for one in results.records[arm].values() if not one.failed]
    given = [answers.answers_of(run, results.store) for run in runs]
    if true is None or len(given) < 2 or any(one is None for one in given):
        return None
    return np.stack([one[results.dataset] for one in given if one is not None]), true
