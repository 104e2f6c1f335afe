"""The results of a study: its records by arm and seed, and the samples and findings from them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spatialnb.execution.planning import editions
from spatialnb.records import answers
from spatialnb.records.store import Record
from spatialnb.registry import unknown
from spatialnb.study import judging, metrics
from spatialnb.study.claims import Finding
from spatialnb.study.judging import PUBLISHED, Case, NoAnswersError, Settings
from spatialnb.study.parameters import Parsed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spatialnb.records.store import Store
    from spatialnb.study.study import Study

QUICK = "quick-"
"""Prefix of the names of quick editions."""

SeedPair = tuple[int, int]
"""Two seeds whose networks are compared."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A study's records, by arm and seed, and by arm and pair of seeds.

    `settings` are the parameters, besides data, epochs and seeds, that differ from the published
    ones; `store` holds the records and their answers.
    """

    study: Study
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    records: Mapping[str, Mapping[int, Record]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairs: Mapping[str, Mapping[SeedPair, Record]] = field(default_factory=dict)
    store: Store | None = field(default=None, repr=False, compare=False)

    @property
    def arms(self) -> tuple[str, ...]:
        """The study's arms, in the order of its tables."""
        return tuple(self.study.arms)

    @property
    def editions(self) -> tuple[str, ...]:
        """The data sets: one, or one for each of two tasks."""
        asked = {"seeds": self.seeds[:1], "epochs": self.epochs, "dataset": self.dataset}
        return editions(self.study.grid(Parsed(asked))[self.study.baseline][0])

    @property
    def quick(self) -> bool:
        """Whether this is a quick edition, which decides no claim."""
        return self.dataset.startswith(QUICK)

    @property
    def published(self) -> bool:
        """Whether arms, data, epochs, seeds and settings are those of the published tables."""
        return self._as_published and self.seeds == self.study.seeds

    @property
    def interim(self) -> bool:
        """Whether these are only the first of the planned runs, the others not yet made."""
        ours, planned = self.seeds, self.study.seeds
        return self._as_published and len(ours) < len(planned) and ours == planned[: len(ours)]

    @property
    def _as_published(self) -> bool:
        same = (self.dataset, self.epochs) == (self.study.dataset, self.study.epochs)
        return same and not self.settings and not self.study.added

    def failed(self, arm: str) -> list[int]:
        """Seeds of the arm whose run failed with non-finite numbers."""
        return [seed for seed, record in self.records[arm].items() if record.failed]

    def samples(self, arm: str, metric: str) -> dict[int | SeedPair, float]:
        """The metric by seed, or by pair of seeds. Failed runs are left out: see :meth:`failed`.

        Raises
        ------
        ValueError : no such arm or metric, or a pair metric in a study without pairs.
        """
        if arm not in self.records:
            raise ValueError(f"study {self.study.id}: " + unknown("arm", arm, self.records))
        if metrics.metric(metric).kind == "run":
            return {
                seed: metrics.measure(record, metric)
                for seed, record in self.records[arm].items()
                if not record.failed
            }
        if not self.study.pairs:
            raise ValueError(f"study {self.study.id} measures no pairs, so it has no {metric!r}")
        failed = set(self.failed(arm))
        return {
            pair: metrics.measure(record, metric)
            for pair, record in self.pairs[arm].items()
            if not failed & set(pair)
        }

    def correct(self, arm: str, seed: Any) -> NDArray[np.bool_]:
        """Whether the run of that arm and seed is right on each test image.

        Raises
        ------
        NoAnswersError : its answers are not recorded.
        RecordError : its answers are damaged, or belong to another run.
        """
        found = answers.correct(self.records[arm][seed].run, self.store)
        if found is None:
            raise NoAnswersError(f"the answers of {arm}, seed {seed}, are not recorded")
        return found

    @property
    def decides(self) -> bool:
        """Whether claims can be judged on these: not a quick edition, and all planned seeds."""
        return not self.quick and len(self.seeds) >= len(self.study.seeds)

    def cases(self) -> list[Case]:
        """The chapter's claims with their samples."""
        hits = functools.cache(self.correct)  # claims share arms
        return [judging.case(claim, self.samples, hits) for claim in self.study.claims]

    def findings(self, settings: Settings = PUBLISHED) -> list[Finding]:
        """The chapter's claims with their verdicts.

        No claim is judged on a quick edition, or on fewer seeds than planned, since an interim look
        must not decide.
        """
        if self.quick:
            reason = f"{self.dataset} is a quick edition, which decides no claim"
            return self.not_judged(reason, settings)
        judged = judging.judge_cases([self.cases()], settings)[0]
        if not self.decides:
            reason = f"only {len(self.seeds)} of the {len(self.study.seeds)} planned seeds"
            judged = [
                judging.not_judged(one.claim, reason, one.estimate, settings) for one in judged
            ]
        return self.with_failures(judged)

    def not_judged(self, reason: str, settings: Settings) -> list[Finding]:
        """Findings "not judged" for all of the chapter's claims, for that reason."""
        return not_judged(self.study, reason, settings)

    def with_failures(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings, with the failed runs that each leaves out added to its reason."""
        return [self._with_failures(found) for found in findings]

    def _with_failures(self, finding: Finding) -> Finding:
        failed = {arm: self.failed(arm) for arm in finding.claim.arms}
        notes = [f"{arm} at {', '.join(map(str, seeds))}" for arm, seeds in failed.items() if seeds]
        if not notes:
            return finding
        reason = f"{finding.reason}; failed: {'; '.join(notes)}"
        return dataclasses.replace(finding, reason=reason)


def not_judged(study: Study, reason: str, settings: Settings = PUBLISHED) -> list[Finding]:
    """Findings "not judged" for all claims of a study that the edition has."""
    return [
        judging.not_judged(claim, reason, settings=settings)
        for claim in study.claims
        if claim.since <= settings.edition
    ]
