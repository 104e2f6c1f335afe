"""A study: a chapter's question, the runs that answer it, what was reported and claimed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spatialnb import claims, metrics
from spatialnb.claims import Claim, Finding
from spatialnb.config import LARGEST_SEED, Run
from spatialnb.records import Record
from spatialnb.registry import unknown

if TYPE_CHECKING:
    from spatialnb.records import Store

QUICK = "quick-"
"""How the names of the small editions begin."""

SeedPair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A cell of a results table of the report, in the report's own units.

    `sd` is what the report prints after ±, where it does.
    """

    arm: str
    metric: str
    value: float
    sd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Quick:
    """What a chapter becomes in its quick edition: it shows that all runs, and decides nothing.

    `second` is the edition of the second task, where there is one.
    """

    dataset: str
    epochs: int = 2
    seeds: tuple[int, ...] = (0, 1)
    train_size: int | None = None
    second: str | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A chapter of the report as data.

    Parameters
    ----------
    id : e.g. ``"v01"``.
    title, question, section, changes : the chapter's title, its question, the report's section, and
        "Changes relative to ...".
    arms : configurations of seed 0 by name, in the order of the tables.
    labels : names of arms for readers, where they differ from the arms' own.
    baseline : the arm that differences are taken to.
    others : arms of other chapters that a claim needs, named like ``"v01/linear"``. They are looked
        up, or trained, like one's own, and stand in no table.
    reported, claims : what the report prints and says.
    metrics : what the chapter's tables show.
    seeds : seeds of the published tables.
    pairs : whether the likeness of networks is measured, of seeds (0, 1), (2, 3), ...: no run
        stands in two pairs, so the pairs are independent.
    datasets : editions that the chapter may be run on, besides its own and the quick one.
    quick : the quick edition.

    Raises
    ------
    ValueError : an arm or a metric is named that is not there, or the arms differ in epochs.
    """

    id: str
    title: str
    question: str
    section: str
    changes: str
    arms: Mapping[str, Run]
    baseline: str
    quick: Quick
    reported: tuple[Reported, ...] = ()
    claims: tuple[Claim, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)
    seeds: tuple[int, ...] = tuple(range(20))
    pairs: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Run] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = f"study {self.id}"
        named = [self.baseline, *self.labels, *(cell.arm for cell in self.reported)]
        for arm in named:
            if arm not in self.arms:
                raise ValueError(f"{what}: " + unknown("arm", arm, self.arms))
        for claim in self.claims:
            for arm in claim.arms:
                if arm not in self.arms and arm not in self.others:
                    raise ValueError(
                        f"{what}, claim {claim.key}: "
                        + unknown("arm", arm, {**self.arms, **self.others})
                    )
        for name in (*self.metrics, *(cell.metric for cell in self.reported)):
            metrics.metric(name)
        for name in (name for claim in self.claims for name in claim.metrics):
            metrics.metric(name)
        keys = [claim.key for claim in self.claims]
        if len(set(keys)) < len(keys):
            raise ValueError(f"{what}: two claims have one key: {', '.join(keys)}")
        lengths = {run.epochs for run in self.arms.values()}
        if len(lengths) > 1:
            raise ValueError(f"{what}: its arms differ in epochs: {sorted(lengths)}")

    @property
    def dataset(self) -> str:
        """Edition of the published tables."""
        return self.arms[self.baseline].dataset

    @property
    def epochs(self) -> int:
        """Epochs of the published tables."""
        return self.arms[self.baseline].epochs

    def label(self, arm: str) -> str:
        """The arm's name for readers."""
        return self.labels.get(arm, arm)

    def reported_cell(self, arm: str, metric: str) -> Reported | None:
        """What the report prints for an arm, or None."""
        cells = (cell for cell in self.reported if (cell.arm, cell.metric) == (arm, metric))
        return next(cells, None)

    def configs(
        self,
        seeds: Sequence[int] | None = None,
        epochs: int | None = None,
        dataset: str | None = None,
    ) -> dict[str, list[Run]]:
        """The grid: a list of runs by seed for every arm, those of other chapters too.

        Parameters
        ----------
        seeds, epochs, dataset : the published ones where they are left out.

        Raises
        ------
        ValueError : seeds that are empty, repeated or out of range, no epochs, or a data set that
            is not this chapter's.
        """
        seeds = _seeds(self.seeds if seeds is None else seeds)
        if epochs is not None and (type(epochs) is not int or epochs < 1):
            raise ValueError(f"epochs: expected a whole number of at least 1, got {epochs!r}")
        changes: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
        if dataset is not None and dataset != self.dataset:
            allowed = dict.fromkeys([self.dataset, *self.datasets, self.quick.dataset])
            if dataset not in allowed:
                raise ValueError(f"study {self.id}: " + unknown("dataset", dataset, allowed))
            changes["dataset"] = dataset
            if dataset == self.quick.dataset:
                changes["train_size"] = self.quick.train_size
        arms = {**self.arms, **self.others}
        if changes.get("dataset") == self.quick.dataset:
            arms = {arm: self._quick_second(run) for arm, run in arms.items()}
        return {
            arm: [dataclasses.replace(run, **changes, seed=seed) for seed in seeds]
            for arm, run in arms.items()
        }

    def _quick_second(self, run: Run) -> Run:
        """The run with the quick edition of its second task, if it has one."""
        if run.second is None or self.quick.second is None:
            return run
        second = dataclasses.replace(run.second, dataset=self.quick.second)
        return dataclasses.replace(run, second=second)

    def run(
        self,
        *,
        seeds: Sequence[int] | None = None,
        epochs: int | None = None,
        dataset: str | None = None,
        store: Store | None = None,
        progress: bool = True,
        train: bool = True,
    ) -> Results:
        """Results of the grid: recorded runs are looked up, missing ones are trained.

        Raises
        ------
        ValueError : parameters that are not this chapter's.
        MissingError : runs are missing, and `train` is off.
        """
        from spatialnb import runs  # here: it loads torch's training half, and reading needs none

        grid = self.configs(seeds, epochs, dataset)
        couples = [pair for arm in grid.values() for pair in self.couples(arm)]
        every = [run for arm in grid.values() for run in arm]
        done = runs.complete(every, pairs=couples, store=store, progress=progress, train=train)
        first = grid[self.baseline]
        return Results(
            study=self,
            dataset=first[0].dataset,
            epochs=first[0].epochs,
            seeds=tuple(run.seed for run in first),
            records={
                arm: {run.seed: done.run(run) for run in configs} for arm, configs in grid.items()
            },
            pairs={
                arm: {
                    (a.seed, b.seed): record
                    for a, b in self.couples(configs)
                    if (record := done.pair(a, b)) is not None
                }
                for arm, configs in grid.items()
            },
        )

    def couples(self, configs: Sequence[Run]) -> list[tuple[Run, Run]]:
        """Pairs of an arm's runs whose likeness is measured: first and second, third and fourth."""
        return list(zip(configs[::2], configs[1::2], strict=False)) if self.pairs else []


@dataclass(frozen=True, kw_only=True)
class Results:
    """A study's records, by arm and seed, and by arm and pair of seeds."""

    study: Study
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    records: Mapping[str, Mapping[int, Record]]
    pairs: Mapping[str, Mapping[SeedPair, Record]] = field(default_factory=dict)

    @property
    def arms(self) -> tuple[str, ...]:
        """The study's arms, in the order of its tables."""
        return tuple(self.study.arms)

    @property
    def editions(self) -> tuple[str, ...]:
        """The data sets: one, or those of the first and of the second task."""
        grid = self.study.configs(self.seeds[:1], self.epochs, self.dataset)
        run = grid[self.study.baseline][0]
        return (run.dataset,) if run.second is None else (run.dataset, run.second.dataset)

    @property
    def quick(self) -> bool:
        """Whether this is a small edition, which decides nothing."""
        return self.dataset.startswith(QUICK)

    @property
    def published(self) -> bool:
        """Whether data, epochs and seeds are those of the published tables."""
        ours = (self.dataset, self.epochs, self.seeds)
        return ours == (self.study.dataset, self.study.epochs, self.study.seeds)

    @property
    def interim(self) -> bool:
        """Whether these are the first of the published runs, the others still to be made."""
        ours, planned = self.seeds, self.study.seeds
        same = (self.dataset, self.epochs) == (self.study.dataset, self.study.epochs)
        return same and len(ours) < len(planned) and ours == planned[: len(ours)]

    def failed(self, arm: str) -> list[int]:
        """Seeds of the arm whose run ended in numbers that are not finite."""
        return [seed for seed, record in self.records[arm].items() if record.failed]

    def samples(self, arm: str, metric: str) -> dict[int | SeedPair, float]:
        """The metric by seed, or by pair of seeds. Failed runs are left out: see :meth:`failed`.

        Raises
        ------
        ValueError : no such arm or metric, or the study measures no pairs.
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

    def findings(self) -> list[Finding]:
        """The chapter's claims with their verdicts.

        None is judged on a quick edition, or on fewer seeds than were planned: a look on the way
        must not decide.
        """
        if self.quick:
            reason = f"{self.dataset} is a quick edition, which decides nothing"
            return [claims.not_judged(claim, reason) for claim in self.study.claims]
        judged = claims.judge(self.study.claims, self.samples)
        if len(self.seeds) < len(self.study.seeds):
            reason = f"{len(self.seeds)} of the {len(self.study.seeds)} seeds that a verdict takes"
            judged = [claims.not_judged(one.claim, reason, one.interval) for one in judged]
        return [self._with_failures(found) for found in judged]

    def _with_failures(self, finding: Finding) -> Finding:
        """The finding with the failed runs that it does without in its reason."""
        failed = {arm: self.failed(arm) for arm in finding.claim.arms}
        notes = [f"{arm} at {', '.join(map(str, seeds))}" for arm, seeds in failed.items() if seeds]
        if not notes:
            return finding
        reason = f"{finding.reason}; failed: {'; '.join(notes)}"
        return dataclasses.replace(finding, reason=reason)


def _seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    if isinstance(seeds, str | int) or not hasattr(seeds, "__iter__"):
        raise ValueError(f"seeds: expected a list of whole numbers, e.g. [0, 1, 2], got {seeds!r}")
    listed = tuple(seeds)
    if not listed:
        raise ValueError("seeds: expected at least one, got an empty list")
    for seed in listed:
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(
                f"seeds: expected whole numbers from 0 to {LARGEST_SEED}, got {seed!r}"
            )
    if len(set(listed)) < len(listed):
        raise ValueError(f"seeds: expected each once, got {list(listed)}")
    return listed
