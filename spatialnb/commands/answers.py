"""Record the answers (predicted classes) of runs that were recorded without them.

The runs are trained again, and their outcomes are compared with the records.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialnb.config.run import Run, canonical
from spatialnb.execution import runs
from spatialnb.execution.backend import Backend
from spatialnb.execution.recording import record_labels
from spatialnb.records import answers
from spatialnb.records.store import Store
from spatialnb.study.study import Study, by_seed

AGAIN = "again"
"""Folder in the working store for runs that are trained again; an interrupted command resumes."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How many runs reproduced their records exactly, and the runs that did not."""

    identical: int
    different: Sequence[Run]


def without(studies: Iterable[Study], store: Store) -> list[Run]:
    """Recorded runs of the studies' arms that did not fail and have no answers, ordered by seed.

    Raises
    ------
    RecordError : a record is damaged.
    """
    there = store.ids("answer")
    found: dict[str, Run] = {}
    for study in studies:
        own = {arm: runs for arm, runs in study.configs().items() if arm in study.arms}
        for run in by_seed(own):
            record = None if answers.answers_id(run) in there else store.find(run.id)
            if record is not None and not record.failed:
                found[run.id] = run
    return list(found.values())


def add(
    chosen: Sequence[Run], store: Store, backend: Backend | None = None, progress: bool = True
) -> Outcome:
    """Train runs again, and record the answers of those that reproduce their records bit for bit.

    Any other run is a different network, so its answers are not those of the recorded run.

    Parameters
    ----------
    chosen : recorded runs.
    store : holds their records; the answers are added to it.
    backend, progress : as for :func:`spatialnb.execution.runs.complete`.
    """
    record_labels({run.dataset for run in chosen}, store)
    again = Store(Path(store.folders[0]) / AGAIN)
    done = runs.complete(chosen, store=again, backend=backend, progress=progress)
    different = []
    for run in chosen:
        if canonical(store.get(run.id).outcome) != canonical(done.run(run).outcome):
            different.append(run)
            continue
        store.add(again.get(answers.answers_id(run), "answer"))
    return Outcome(identical=len(chosen) - len(different), different=different)
