"""The studies of the book: what each chapter asks, which runs answer it, what was claimed."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable

from spatialnb.records.store import Store
from spatialnb.registry import unknown
from spatialnb.study.claims import Finding, not_judged
from spatialnb.study.results import Results
from spatialnb.study.study import Study


def _pages() -> dict[str, str]:
    """The name of every module here that is called like ``v05_cifar10``, by the study's id.

    The chapters on the report come first, then those of Part II, such as ``c2_which_part``.
    """
    names = sorted(part.name for part in pkgutil.iter_modules(__path__))
    chapters = [
        name for form in (r"v\d\d_", r"c\d[a-z]?_") for name in names if re.match(form, name)
    ]
    return {name.partition("_")[0]: name for name in chapters}


PAGES: dict[str, str] = _pages()
"""The page of every study by id: it is called like the study's module."""


def _study(module: str) -> Study:
    study: Study = importlib.import_module(f"{__name__}.{module}").STUDY
    return study


STUDIES: dict[str, Study] = {chapter: _study(module) for chapter, module in PAGES.items()}
"""Every study by id, in order."""


def get(study_id: str) -> Study:
    """The study of that id. ValueError names those there are."""
    if study_id not in STUDIES:
        raise ValueError(unknown("study", study_id, STUDIES))
    return STUDIES[study_id]


def select(names: Iterable[str]) -> list[Study]:
    """The studies named, each once; ``all`` is every one of them."""
    chosen: dict[str, Study] = {}
    for name in names:
        found = STUDIES if name == "all" else {name: get(name)}
        chosen.update(found)
    return list(chosen.values())


def recorded(store: Store | None = None) -> list[Results]:
    """Every study on its published seeds, as far as they are recorded; one without is left out."""
    found = [study.recorded(store) for study in STUDIES.values()]
    return [results for results in found if results is not None]


def ledger(store: Store | None = None) -> list[Finding]:
    """Every claim of the report with its verdict, chapter by chapter; no other chapter's.

    Claims of a chapter whose planned runs are not all recorded are not judged, and say so.
    """
    return _findings((study for study in STUDIES.values() if study.section), store)


def controls(store: Store | None = None) -> list[Finding]:
    """Every claim of Part II with its verdict, as :func:`ledger` gives those of the report."""
    return _findings((study for study in STUDIES.values() if study.id.startswith("c")), store)


def _findings(chosen: Iterable[Study], store: Store | None) -> list[Finding]:
    findings: list[Finding] = []
    for study in chosen:
        results = study.recorded(store)
        if results is None:
            reason = "its runs are not all recorded yet"
            findings += [not_judged(claim, reason) for claim in study.claims]
        else:
            findings += results.findings()
    return findings
