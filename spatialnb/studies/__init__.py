"""The studies of the book: what each chapter asks, which runs answer it, what was claimed."""

from __future__ import annotations

from collections.abc import Iterable

from spatialnb.claims import Finding, not_judged
from spatialnb.records import MissingError, Store, default_store
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
    """The results of a study on as many of its seeds, in order, as are recorded for every arm.

    None where that is fewer than two.
    """
    there = (store or default_store()).ids()
    grid = study.configs()
    whole = [all(run.id in there for run in runs) for runs in zip(*grid.values(), strict=True)]
    count = whole.index(False) if False in whole else len(whole)
    if study.pairs:
        count -= count % 2  # a pair takes two
    if count < 2:
        return None
    try:
        return study.run(seeds=study.seeds[:count], store=store, progress=False, train=False)
    except MissingError:  # a pair of them has not been measured yet
        return None


def ledger(store: Store | None = None) -> list[Finding]:
    """Every claim of the report with its verdict, chapter by chapter.

    Claims of a chapter whose planned runs are not all recorded are not judged, and say so.
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
