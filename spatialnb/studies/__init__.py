"""The studies of the book: what each chapter asks, which runs answer it, what was claimed."""

from __future__ import annotations

from collections.abc import Iterable

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
from spatialnb.study import Study

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
