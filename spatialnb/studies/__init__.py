"""The book's studies: for each chapter its question, the runs that answer it, and its claims."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from typing import Literal

from spatialnb.records.store import Store
from spatialnb.registry import unknown
from spatialnb.study.claims import Finding
from spatialnb.study.judging import PUBLISHED, Case, Settings, judge_cases
from spatialnb.study.results import Results, not_judged
from spatialnb.study.study import Study

FORMS = (r"v\d\d_", r"c\d[a-z]?_", r"m\d_")
"""Patterns of module names: studies of the log, of Part II, and of the verdicts themselves."""
WITHOUT_PAGE = (
    "c4c",
    "c7a",
    "c7e",
    "c7g",
    "c8c",
    "c8d",
    "c9a",
    "c9b",
    "c9c",
    "c9d",
    "c9e",
    "c9i",
)
"""Studies without a page of their own: searches shown on other pages, and unfinished studies."""


def _modules() -> dict[str, str]:
    """Module names by study id, in the order of :data:`FORMS`."""
    names = sorted(part.name for part in pkgutil.iter_modules(__path__))
    chapters = [name for form in FORMS for name in names if re.match(form, name)]
    return {name.partition("_")[0]: name for name in chapters}


_MODULES = _modules()
PAGES: dict[str, str] = {
    study: name for study, name in _MODULES.items() if study not in WITHOUT_PAGE
}
"""Page names by study id; a page has the same name as the study's module."""


def _study(module: str) -> Study:
    study: Study = importlib.import_module(f"{__name__}.{module}").STUDY
    return study


STUDIES: dict[str, Study] = {chapter: _study(module) for chapter, module in PAGES.items()}
"""All studies that have a page, by id."""


def get(study_id: str) -> Study:
    """The study with this id, whether or not it has a page; ValueError lists the known ids."""
    if study_id in STUDIES:
        return STUDIES[study_id]
    if study_id in WITHOUT_PAGE:
        return _study(_MODULES[study_id])
    raise ValueError(unknown("study", study_id, STUDIES))


def select(names: Iterable[str]) -> list[Study]:
    """The named studies, without repeats; ``all`` means every study that has a page."""
    chosen: dict[str, Study] = {}
    for name in names:
        found = STUDIES if name == "all" else {name: get(name)}
        chosen.update(found)
    return list(chosen.values())


def recorded(store: Store | None = None) -> list[Results]:
    """Results on the published seeds of every study that has enough recorded runs."""
    found = [study.recorded(store) for study in STUDIES.values()]
    return [results for results in found if results is not None]


def ledger(store: Store | None = None, settings: Settings = PUBLISHED) -> list[Finding]:
    """Every claim of the log with its verdict, chapter by chapter.

    Claims are "not judged" if some of the chapter's planned runs are not recorded.

    Raises
    ------
    ValueError : the settings ask for seeds that are not recorded for any chapter.
    """
    return judge(part("I"), settings, store)


def controls(store: Store | None = None, settings: Settings = PUBLISHED) -> list[Finding]:
    """Every claim of Part II (the controls) with its verdict; errors as for :func:`ledger`."""
    return judge(part("II"), settings, store)


def yours(store: Store | None = None, settings: Settings = PUBLISHED) -> list[Finding]:
    """Every claim of your own chapters with its verdict; for corrections, a separate family.

    No claim is judged if none of these chapters has the seeds that the settings ask for.
    """
    return judge(part("yours"), settings, store, any_seeds=True)


def part(name: Literal["I", "II", "yours"]) -> list[Study]:
    """The studies of Part ``I`` (the log), of Part ``II`` (the controls), or ``yours``.

    Your own chapters have ids like those of the log, but no section in the log. Studies of the
    verdicts themselves, such as m2, belong to no part.
    """
    letter = "c" if name == "II" else "v"
    named = [study for study in STUDIES.values() if study.id.startswith(letter)]
    return named if name == "II" else [one for one in named if bool(one.section) is (name == "I")]


def judge(
    chosen: Iterable[Study],
    settings: Settings = PUBLISHED,
    store: Store | None = None,
    any_seeds: bool = False,
) -> list[Finding]:
    """Judge every claim of these studies from their records.

    For a correction over the ledger, all these claims are one family.

    Parameters
    ----------
    chosen : the studies.
    settings, store : how claims are judged, and where the records are.
    any_seeds : if the requested seeds are not recorded, leave claims unjudged instead of raising.

    Raises
    ------
    ValueError : the settings ask for seeds that none of these studies has recorded, or for a
        population of images when no claim has recorded answers.
    """
    chosen = list(chosen)
    whole = {study.id: study.recorded(store) for study in chosen}
    decided = {name: found for name, found in whole.items() if found and found.decides}
    if not any_seeds:
        _check_seeds(settings, decided.values())
    cases = [found.cases() for found in decided.values()]
    judged = dict(zip(decided, judge_cases(cases, settings), strict=True))
    findings: list[Finding] = []
    for study in chosen:
        results = whole[study.id]
        if results is None:
            findings += not_judged(study, "its runs are not all recorded yet", settings)
        elif study.id in judged:
            findings += results.with_failures(judged[study.id])
        else:
            findings += results.findings(settings)
    if settings.population != "seeds" and all(one.verdict == "not judged" for one in findings):
        raise ValueError(
            f"population {settings.population}: takes the answers of runs to every test image, and "
            "no claim has them all; `spatialnb answers STUDY` adds those of recorded runs"
        )
    return findings


def cases(chosen: Iterable[Study], store: Store | None = None) -> list[list[Case]]:
    """The claims with their samples, chapter by chapter, of the studies that are fully recorded.

    They can then be judged under many settings without reading the records again.
    """
    found = [study.recorded(store) for study in chosen]
    return [results.cases() for results in found if results is not None and results.decides]


def _check_seeds(settings: Settings, results: Iterable[Results]) -> None:
    there = {seed for one in results for seed in one.seeds}
    missing = sorted(set(settings.seeds or ()) - there)
    if missing:
        recorded = f"recorded are {min(there)} to {max(there)}" if there else "none is recorded"
        raise ValueError(
            f"seeds {', '.join(map(str, missing))}: not recorded for any chapter; {recorded}"
        )
