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

FORMS = (r"v\d\d_", r"c\d[a-z]?_", r"m\d_")
"""How modules of studies are called: those on the log, those of Part II, those on the verdicts."""
WITHOUT_PAGE = ("c7a", "m1")
"""Studies whose runs are still to be made: they can be trained and published, and have no page."""


def _modules() -> dict[str, str]:
    """The name of every study's module by the study's id, in the order of :data:`FORMS`."""
    names = sorted(part.name for part in pkgutil.iter_modules(__path__))
    chapters = [name for form in FORMS for name in names if re.match(form, name)]
    return {name.partition("_")[0]: name for name in chapters}


_MODULES = _modules()
PAGES: dict[str, str] = {
    study: name for study, name in _MODULES.items() if study not in WITHOUT_PAGE
}
"""The page of every study by id: it is called like the study's module."""


def _study(module: str) -> Study:
    study: Study = importlib.import_module(f"{__name__}.{module}").STUDY
    return study


STUDIES: dict[str, Study] = {chapter: _study(module) for chapter, module in PAGES.items()}
"""Every study that has a page, by id, in order."""


def get(study_id: str) -> Study:
    """The study of that id, with a page or without. ValueError names those there are."""
    if study_id in STUDIES:
        return STUDIES[study_id]
    if study_id in WITHOUT_PAGE:
        return _study(_MODULES[study_id])
    raise ValueError(unknown("study", study_id, STUDIES))


def select(names: Iterable[str]) -> list[Study]:
    """The studies named, each once; ``all`` is every one that has a page."""
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
