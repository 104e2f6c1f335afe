"""A study: a chapter's question, the runs that answer it, what was reported and claimed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spatialnb.config.run import Run
from spatialnb.execution import runs
from spatialnb.records.store import MissingError, Record, default_store
from spatialnb.registry import unknown
from spatialnb.study import claims, metrics, parameters
from spatialnb.study.claims import Claim, Finding
from spatialnb.study.parameters import PARAMETERS

if TYPE_CHECKING:
    from spatialnb.records.store import Store

QUICK = "quick-"
"""How the names of the small editions begin."""

SeedPair = tuple[int, int]
"""Two seeds whose networks are compared."""


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
    validation_size: int | None = None
    second: str | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A chapter of the report as data.

    Parameters
    ----------
    id : e.g. ``"v01"``.
    title, question, section, changes : the chapter's title, its question, the report's section
        (empty where the report has none), and "Changes relative to ...".
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
    measure : what is measured of a pair, one of :data:`spatialnb.study.metrics.MEASURES`.
    datasets : editions that the chapter may be run on, besides its own and the quick one.
    quick : the quick edition.
    added : arms that a reader has added, see :meth:`with_arms`.

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
    measure: str = "similarity"
    labels: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Run] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

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
        if self.measure not in metrics.MEASURES:
            raise ValueError(
                f"{what}: " + unknown("measure", self.measure, dict.fromkeys(metrics.MEASURES))
            )
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

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter of the chapter by name, with the value of the published tables."""
        base = self.arms[self.baseline]
        published = {"seeds": self.seeds, "epochs": self.epochs, "dataset": self.dataset}
        fields = {name: part.field for name, part in PARAMETERS.items() if part.field}
        same = {
            name: getattr(base, field)
            for name, field in fields.items()
            if len({getattr(run, field) for run in self.arms.values()}) == 1
        }
        return {**published, **same, "arms": {}, "definitions": ()}

    def with_arms(self, arms: Mapping[str, Any]) -> Study:
        """The chapter with more arms, each the baseline but for what is given for it.

        Parameters
        ----------
        arms : by name, as :func:`spatialnb.study.parameters.arm` takes them.

        Raises
        ------
        ValueError : a name that an arm has already, or an arm that cannot be read.
        """
        for name in arms:
            parameters.check_arm(name)
            if name in self.arms or name in self.others:
                raise ValueError(f"study {self.id}: there is an arm {name!r} already; rename yours")
        base = self.arms[self.baseline]
        new = {name: parameters.arm(name, given, base) for name, given in arms.items()}
        return dataclasses.replace(self, arms={**self.arms, **new}, added=(*self.added, *new))

    def without_added(self) -> Study:
        """The chapter as it was before :meth:`with_arms`."""
        arms = {name: run for name, run in self.arms.items() if name not in self.added}
        return dataclasses.replace(self, arms=arms, added=())

    def configs(
        self,
        seeds: Sequence[int] | str | None = None,
        epochs: int | None = None,
        dataset: str | None = None,
        **settings: Any,
    ) -> dict[str, list[Run]]:
        """The grid: a list of runs by seed for every arm, those of other chapters too.

        Parameters
        ----------
        seeds, epochs, dataset : the published ones where they are left out.
        settings : others of :data:`spatialnb.study.parameters.PARAMETERS` that change a setting of
            every run, such as ``lr``.

        Raises
        ------
        ValueError : seeds that are empty, repeated or out of range, no epochs, a data set that is
            not this chapter's, or a parameter that it does not have.
        """
        given = {"seeds": seeds, "epochs": epochs, "dataset": dataset, **settings}
        asked = parameters.checked({name: v for name, v in given.items() if v is not None})
        for name in asked:
            if name not in self.parameters or name == "arms":
                fields = [known for known in self.parameters if PARAMETERS[known].field]
                raise ValueError(
                    f"study {self.id}: {name} cannot be set for all its runs; these can: "
                    f"{', '.join(fields)}"
                )
        changes = {PARAMETERS[name].field or name: value for name, value in asked.items()}
        listed = changes.pop("seeds", self.seeds)
        if changes.get("dataset") == self.dataset:
            del changes["dataset"]
        if "dataset" in changes:
            allowed = dict.fromkeys([self.dataset, *self.datasets, self.quick.dataset])
            if changes["dataset"] not in allowed:
                raise ValueError(
                    f"study {self.id}: " + unknown("dataset", changes["dataset"], allowed)
                )
            if changes["dataset"] == self.quick.dataset:
                changes["train_size"] = self.quick.train_size
                changes["validation_size"] = self.quick.validation_size
        arms = {**self.arms, **self.others}
        if changes.get("dataset") == self.quick.dataset:
            arms = {arm: self._quick_second(run) for arm, run in arms.items()}
        return {
            arm: [dataclasses.replace(run, **changes, seed=seed) for seed in listed]
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
        store: Store | None = None,
        progress: bool = True,
        train: bool = True,
        arms: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> Results:
        """Results of the grid: recorded runs are looked up, missing ones are trained.

        Parameters
        ----------
        store, progress, train : as for :func:`spatialnb.execution.runs.complete`.
        arms : more arms, see :meth:`with_arms`.
        given : the other parameters of :meth:`configs`.

        Raises
        ------
        ValueError : parameters that are not this chapter's.
        MissingError : runs are missing, and `train` is off.
        """
        if arms:
            whole = self.with_arms(arms)
            return whole.run(store=store, progress=progress, train=train, **given)
        grid = self.configs(**given)
        couples = [pair for arm in grid.values() for pair in self.couples(arm)]
        every = by_seed(grid)
        done = runs.complete(every, pairs=couples, store=store, progress=progress, train=train)
        first = grid[self.baseline]
        return Results(
            study=self,
            dataset=first[0].dataset,
            epochs=first[0].epochs,
            seeds=tuple(run.seed for run in first),
            settings=self._changed(first[0]),
            records={
                arm: {run.seed: done.run(run) for run in configs} for arm, configs in grid.items()
            },
            pairs={
                arm: {
                    (pair[0].seed, pair[1].seed): record
                    for pair in self.couples(configs)
                    if (record := done.pair(*pair)) is not None
                }
                for arm, configs in grid.items()
            },
        )

    def _changed(self, run: Run) -> dict[str, Any]:
        """Settings of a run of the baseline, by parameter, that are not the published ones."""
        ours = {name: getattr(run, part.field) for name, part in PARAMETERS.items() if part.field}
        published = self.arms[self.baseline]
        return {
            name: value
            for name, value in ours.items()
            if value != getattr(published, PARAMETERS[name].field)
        }

    def recorded(self, store: Store | None = None) -> Results | None:
        """Results on as many of the published seeds, in order, as are recorded for every arm.

        None where that is fewer than two.
        """
        there = (store or default_store()).ids()
        grid = self.configs()
        whole = [all(run.id in there for run in runs) for runs in zip(*grid.values(), strict=True)]
        count = whole.index(False) if False in whole else len(whole)
        if self.pairs:
            count -= count % 2  # a pair takes two
        if count < 2:
            return None
        try:
            return self.run(seeds=self.seeds[:count], store=store, progress=False, train=False)
        except MissingError:  # a pair of them has not been measured yet
            return None

    def couples(self, configs: Sequence[Run]) -> list[tuple[Run, Run, str]]:
        """Pairs of an arm's runs, first and second, third and fourth, and what is measured."""
        if not self.pairs:
            return []
        return [(a, b, self.measure) for a, b in zip(configs[::2], configs[1::2], strict=False)]


def by_seed(grid: Mapping[str, Sequence[Run]]) -> list[Run]:
    """The runs of a grid in the order of training: every arm's first seed, then every second one.

    So whenever training stops, the arms have the same seeds, but for the last.
    """
    return [run for seed in zip(*grid.values(), strict=True) for run in seed]


@dataclass(frozen=True, kw_only=True)
class Results:
    """A study's records, by arm and seed, and by arm and pair of seeds.

    `settings` are the parameters, besides data, epochs and seeds, that are not the published ones.
    """

    study: Study
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    records: Mapping[str, Mapping[int, Record]]
    settings: Mapping[str, Any] = field(default_factory=dict)
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
        """Whether arms, data, epochs, seeds and settings are those of the published tables."""
        return self._as_published and self.seeds == self.study.seeds

    @property
    def interim(self) -> bool:
        """Whether these are the first of the published runs, the others still to be made."""
        ours, planned = self.seeds, self.study.seeds
        return self._as_published and len(ours) < len(planned) and ours == planned[: len(ours)]

    @property
    def _as_published(self) -> bool:
        same = (self.dataset, self.epochs) == (self.study.dataset, self.study.epochs)
        return same and not self.settings and not self.study.added

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
