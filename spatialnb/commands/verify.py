"""Train published runs again, and check whether they reproduce their records."""

from __future__ import annotations

import random
import statistics as stdlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spatialnb.config.run import Run, canonical
from spatialnb.execution import runs
from spatialnb.execution.backend import Backend
from spatialnb.records.store import Record, Store
from spatialnb.study import metrics
from spatialnb.study.study import Study

SPREADS = 3.0
"""A run that is not identical agrees with its arm within this many sd of the arm's mean."""

Outcome = Literal["identical", "within the spread", "different"]
"""Result of training a run again."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A published run and the result of training it again.

    `mean` and `sd` are those of its arm's accuracy over the recorded seeds, in percent.
    """

    arm: str
    recorded: Record
    again: Record
    outcome: Outcome
    mean: float
    sd: float

    def says(self) -> str:
        """Both accuracies and the spread over the arm's seeds, in words."""
        both = [
            "failed" if r.failed else f"{_accuracy(r):.2f}" for r in (self.recorded, self.again)
        ]
        spread = f"the arm has {self.mean:.2f} ± {self.sd:.2f}"
        if not (self.recorded.failed or self.again.failed):
            away = abs(_accuracy(self.again) - self.mean)
            spread += f": {away / self.sd:.1f} sd away ({SPREADS:g} allowed)" if self.sd else ""
        return f"{both[0]} recorded, {both[1]} now; {spread}{self._elsewhere()}"

    def _elsewhere(self) -> str:
        """Differences from the recorded provenance that can change the bits of the result."""
        old, new = self.recorded.provenance, self.again.provenance
        pairs = [
            (name, (old.get("versions") or {}).get(name), (new.get("versions") or {}).get(name))
            for name in ("torch", "numpy")
        ]
        pairs += [
            (name.replace("_", " "), old.get(name), new.get(name))
            for name in ("processor", "instruction_set", "system")
        ]
        pairs += [("engine", old.get("engine", "loop"), new.get("engine", "loop"))]
        pixels = old.get("decoded") or {}, new.get("decoded") or {}
        pairs += [
            (f"decoded {name}", *(digests.get(name, "")[:8] for digests in pixels))
            for name in pixels[0]
        ]
        changed = [f"{name} {a}, now {b}" for name, a, b in pairs if a and b and a != b]
        return f" (recorded with {'; '.join(changed)})" if changed else ""


def sample(
    studies: Sequence[Study], store: Store, size: int, seed: int | None = None
) -> list[tuple[str, Run]]:
    """A random sample of the studies' recorded runs, without repeats, as (``v05/linear``, run).

    Raises
    ------
    ValueError : nothing is recorded, or `size` is less than 1.
    """
    if size < 1:
        raise ValueError(f"sample: expected at least 1, got {size}")
    there = store.ids()
    found = {
        run.id: (f"{study.id}/{arm}", run)
        for study in reversed(studies)
        for arm, configs in study.configs().items()
        if arm in study.arms
        for run in configs
        if run.id in there
    }
    if not found:
        raise ValueError("none of these runs are recorded, so there is nothing to verify")
    every = [found[run_id] for run_id in sorted(found)]
    return random.Random(seed).sample(every, min(size, len(every)))


def verify(
    chosen: Sequence[tuple[str, Run]],
    store: Store,
    studies: Sequence[Study],
    folder: Path,
    backend: Backend | None = None,
) -> Iterator[Verified]:
    """Train the runs again, into a separate store in `folder`, and compare with their records.

    Parameters
    ----------
    chosen : runs as returned by :func:`sample`.
    store : holds their records.
    studies : the studies of these runs.
    folder : receives the new records.
    backend : as for :func:`spatialnb.execution.runs.complete`.

    Raises
    ------
    RecordError : a required record is damaged.
    FileNotFoundError : a data set is missing.
    """
    # Read before anything is trained, so that a damaged record is reported now, not in an hour.
    recorded = {run.id: store.find(run.id) for _, run in chosen}
    of_arm = {arm: _recorded_arm(arm, studies, store) for arm, _ in chosen}
    done = runs.complete([run for _, run in chosen], store=Store(folder), backend=backend)
    for arm, run in chosen:
        old, new = recorded[run.id], done.run(run)
        assert old is not None
        values = [_accuracy(record) for record in of_arm[arm]]
        mean = stdlib.fmean(values) if values else 0.0
        sd = stdlib.stdev(values) if len(values) > 1 else 0.0
        yield Verified(
            arm=arm, recorded=old, again=new, outcome=_outcome(old, new, mean, sd), mean=mean, sd=sd
        )


def _recorded_arm(arm: str, studies: Sequence[Study], store: Store) -> list[Record]:
    """The recorded runs of an arm, named as ``v05/linear``, that did not fail."""
    chapter, _, name = arm.partition("/")
    (study,) = (study for study in studies if study.id == chapter)
    found = (store.find(run.id) for run in study.configs()[name])
    return [record for record in found if record is not None and not record.failed]


def _outcome(old: Record, new: Record, mean: float, sd: float) -> Outcome:
    if canonical(old.outcome) == canonical(new.outcome):
        return "identical"
    if old.failed or new.failed:
        return "different"
    near = abs(_accuracy(new) - mean) <= SPREADS * sd
    return "within the spread" if near else "different"


def _accuracy(record: Record) -> float:
    validated = record.config.get("validation_size") is not None
    return metrics.measure(record, "validation_accuracy" if validated else "accuracy")
