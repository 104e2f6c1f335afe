"""The studies of the book: what each chapter asks, which runs answer it, what was claimed."""

from __future__ import annotations

from collections.abc import Iterable

from spatialnb.claims import Finding, not_judged
from spatialnb.records import MissingError, Store
from spatialnb.registry import unknown
from spatialnb.studies import (
    v01_linear_or_none,
    v02_magnitude_and_direction,
    v03_kernel_shapes,
    v04_annealed_kernels,
    v05_cifar10,
    v06_shuffled,
    v07_two_tasks,
    v08_caps,
    v09_decay_target,
    v10_sharpening,
    v11_high_sparsity,
)
from spatialnb.study import Results, Study

STUDIES: dict[str, Study] = {
    module.STUDY.id: module.STUDY
    for module in (
        v01_linear_or_none,
        v02_magnitude_and_direction,
        v03_kernel_shapes,
        v04_annealed_kernels,
        v05_cifar10,
        v06_shuffled,
        v07_two_tasks,
        v07_two_tasks,
        v08_caps,
        v09_decay_target,
        v10_sharpening,
        v11_high_sparsity,
    )
}


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


def recorded(study: Study, store: Store | None = None) -> Results | None:
    """The published results of a study; None where not all of its runs are recorded yet."""
    try:
        return study.run(store=store, progress=False, train=False)
    except MissingError:
        return None


def ledger(store: Store | None = None) -> list[Finding]:
    """Every claim of the report with its verdict, chapter by chapter.

    Claims of a chapter whose runs are not all recorded are not judged, and say so.
    """
    findings: list[Finding] = []
    for study in STUDIES.values():
        results = recorded(study, store)
        if results is None:
            reason = "its runs are not all recorded yet"
            findings += [not_judged(claim, reason) for claim in study.claims]
        else:
            findings += results.findings()
    return findings
