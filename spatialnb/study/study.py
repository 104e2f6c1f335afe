"""A study: a chapter's question, the runs that answer it, reported values and claims."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.execution import runs
from spatialnb.records import provenance
from spatialnb.records.store import MissingError, default_store
from spatialnb.registry import unknown
from spatialnb.study import metrics, parameters
from spatialnb.study.claims import Claim
from spatialnb.study.parameters import PARAMETERS, Parsed
from spatialnb.study.results import Results

if TYPE_CHECKING:
    from spatialnb.execution.backend import Backend
    from spatialnb.execution.planning import Pair
    from spatialnb.records.store import Store


class UnpublishableWarning(UserWarning):
    """Records that are about to be made would be refused by ``spatialnb publish``."""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A cell in a results table of the log, in the log's units.

    `sd` is the number after ±, if the log prints one.
    """

    arm: str
    metric: str
    value: float
    sd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Quick:
    """Settings of a chapter's quick edition, which shows that everything runs but decides no claim.

    `second` is the edition for the second task, if there is one.
    """

    dataset: str
    epochs: int = 2
    seeds: tuple[int, ...] = (0, 1)
    train_size: int | None = None
    validation_size: int | None = None
    second: str | None = None

    @property
    def parameters(self) -> Parsed:
        """The parameters of the quick edition of a chapter."""
        return Parsed({"dataset": self.dataset, "epochs": self.epochs, "seeds": self.seeds})


@dataclass(frozen=True, kw_only=True)
class Study:
    """A chapter of the book as data.

    Parameters
    ----------
    id : e.g. ``"v01"``.
    title, question, section, changes : the chapter's title, its question, the log's section (empty
        if the log has none), and "Changes relative to ...".
    arms : configurations at seed 0 by name, in the order of the tables.
    labels : display names of arms, if they differ from the arms' names.
    baseline : the arm with which others are compared.
    compared_with : other arms for which that makes no sense, by name, and the arm that each is
        compared with instead; one that is compared with itself has no difference.
    borrowed_arms : arms of other chapters that a claim needs, named as ``"v01/linear"``. They are
        looked up or trained like the chapter's own arms, but do not appear in tables.
    reported, claims : the numbers and claims of the log.
    metrics : the metrics in the chapter's tables.
    seeds : seeds of the published tables.
    pairs : whether to compare networks of seeds (0, 1), (2, 3), ...; no run is in two pairs, so the
        pairs are independent.
    measure : the measure of a pair, one of :data:`spatialnb.study.metrics.MEASURES`.
    datasets : editions that the chapter can be run on, besides its own and the quick one.
    quick : the quick edition.
    any_engine : whether published runs may come from stacks and from devices other than a CPU.
        Tables then say what trained them. It is set for searches and large studies; the runs of v1
        to v11 and of the chapters behind the first page's findings come from the loop on a CPU.
    added : arms added by the user, see :meth:`with_arms`.

    Raises
    ------
    ValueError : an unknown arm or metric is named, the arms differ in epochs, or pairs are
        requested for networks that cannot be compared.
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
    borrowed_arms: Mapping[str, Run] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    any_engine: bool = False
    compared_with: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = f"study {self.id}"
        pairs = [*self.compared_with, *self.compared_with.values()]
        named = [self.baseline, *self.labels, *pairs, *(cell.arm for cell in self.reported)]
        for arm in named:
            if arm not in self.arms:
                raise ValueError(f"{what}: " + unknown("arm", arm, self.arms))
        for claim in self.claims:
            for arm in claim.arms:
                if arm not in self.arms and arm not in self.borrowed_arms:
                    raise ValueError(
                        f"{what}, claim {claim.key}: "
                        + unknown("arm", arm, {**self.arms, **self.borrowed_arms})
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
            raise ValueError(f"{what}: two claims have the same key: {', '.join(keys)}")
        lengths = {run.epochs for run in self.arms.values()}
        if len(lengths) > 1:
            raise ValueError(f"{what}: its arms differ in epochs: {sorted(lengths)}")
        if self.pairs:
            self._check_pairs()

    def _check_pairs(self) -> None:
        """Refuse pairs that would be compared incorrectly, before anything is trained for them."""
        for name, run in self.arms.items():
            if run.network is not None:
                raise ValueError(
                    f"study {self.id}, arm {name!r}: only linear layers are kept for pairs, so a "
                    f"{run.network} network would be compared in its untrained state; leave out "
                    "pairs"
                )
            if self.measure == "alignment" and run.activation is not None:
                raise ValueError(
                    f"study {self.id}, arm {name!r}: the alignment of two networks is computed "
                    f"with ReLU, not with {run.activation}; leave out pairs"
                )

    @property
    def dataset(self) -> str:
        """Edition of the published tables."""
        return self.arms[self.baseline].dataset

    @property
    def epochs(self) -> int:
        """Epochs of the published tables."""
        return self.arms[self.baseline].epochs

    def label(self, arm: str) -> str:
        """The arm's display name."""
        return self.labels.get(arm, arm)

    def base_of(self, arm: str) -> str:
        """The arm with which this one is compared: the baseline, unless stated otherwise."""
        return self.compared_with.get(arm, self.baseline)

    def reported_cell(self, arm: str, metric: str) -> Reported | None:
        """The log's number for an arm and a metric, or None."""
        cells = (cell for cell in self.reported if (cell.arm, cell.metric) == (arm, metric))
        return next(cells, None)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the chapter by name, with the values of the published tables."""
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
        """The chapter with additional arms, each the baseline with the given changes.

        Parameters
        ----------
        arms : by name, in a form that :func:`spatialnb.study.parameters.arm` accepts.

        Raises
        ------
        ValueError : a name is already taken, or an arm cannot be parsed.
        """
        for name in arms:
            parameters.check_arm(name)
            if name in self.arms or name in self.borrowed_arms:
                raise ValueError(f"study {self.id}: arm {name!r} already exists; rename yours")
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
        """The grid: for every arm, including borrowed ones, a list of runs by seed.

        Parameters
        ----------
        seeds, epochs, dataset : by default the published ones.
        settings : other parameters of :data:`spatialnb.study.parameters.PARAMETERS` that change a
            setting of every run, such as ``lr``.

        Raises
        ------
        ValueError : a value cannot be parsed, or as for :meth:`grid`.
        """
        given = {"seeds": seeds, "epochs": epochs, "dataset": dataset, **settings}
        return self.grid(parameters.parse(_given(given)))

    def grid(self, asked: Parsed) -> dict[str, list[Run]]:
        """The grid from parsed parameters.

        Raises
        ------
        ValueError : a data set or a parameter that this chapter does not have.
        """
        for name in asked:
            if name not in self.parameters or name == "arms":
                fields = [known for known in self.parameters if PARAMETERS[known].field]
                raise ValueError(
                    f"study {self.id}: {name} cannot be set for all of its runs; settable are "
                    f"{', '.join(fields)}"
                )
        changes = {PARAMETERS[name].field or name: value for name, value in asked.items()}
        seeds = changes.pop("seeds", self.seeds)
        changes |= self._edition(changes.pop("dataset", self.dataset))
        arms = {**self.arms, **self.borrowed_arms}
        if changes.get("dataset") == self.quick.dataset:
            arms = {arm: self._quick_second(run) for arm, run in arms.items()}
        return {
            arm: [dataclasses.replace(run, **changes, seed=seed) for seed in seeds]
            for arm, run in arms.items()
        }

    def _edition(self, dataset: str) -> dict[str, Any]:
        """The settings that a data set changes in every run; none for the published one."""
        if dataset == self.dataset:
            return {}
        allowed = dict.fromkeys([self.dataset, *self.datasets, self.quick.dataset])
        if dataset not in allowed:
            raise ValueError(f"study {self.id}: " + unknown("dataset", dataset, allowed))
        if dataset != self.quick.dataset:
            return {"dataset": dataset}
        sizes = {
            "train_size": self.quick.train_size,
            "validation_size": self.quick.validation_size,
        }
        return {"dataset": dataset, **sizes}

    def _quick_second(self, run: Run) -> Run:
        """The run with the quick edition of its second task, if it has one."""
        if run.second is None or self.quick.second is None:
            return run
        second = dataclasses.replace(run.second, dataset=self.quick.second)
        return dataclasses.replace(run, second=second)

    def run(
        self,
        asked: Parsed | None = None,
        /,
        *,
        store: Store | None = None,
        backend: Backend | None = None,
        progress: bool = True,
        train: bool = True,
        **given: Any,
    ) -> Results:
        """Results of the grid: look up recorded runs, train the missing ones.

        Parameters
        ----------
        asked : parsed parameters.
        store, backend, progress, train : as for :func:`spatialnb.execution.runs.complete`.
        given : parameters to parse: ``arms``, see :meth:`with_arms`, and those of :meth:`configs`.

        Warns
        -----
        UnpublishableWarning : records of the published grid would be made from code that cannot be
            found later; given before anything is trained.

        Raises
        ------
        ValueError : a parameter that this chapter does not have.
        MissingError : runs are missing, and `train` is False.
        """
        asked = (asked or Parsed()) | parameters.parse(_given(given))
        arms = asked.get("arms")
        study = self.with_arms(arms) if arms else self
        grid = study.grid(asked.without("arms"))
        done = runs.complete(
            by_seed(grid),
            pairs=[pair for configs in grid.values() for pair in study.pairs_of(configs)],
            store=store,
            backend=backend,
            progress=progress,
            train=train,
            before=study._warn_if_unpublishable,
        )
        return study._results(grid, done, store)

    def _warn_if_unpublishable(self, todo: Sequence[Run], pairs: Sequence[Pair]) -> None:
        measured = [run for pair in pairs for run in pair.runs]
        said = unpublishable([self.without_added()], [*todo, *measured])
        if said:
            warnings.warn(said, UnpublishableWarning, stacklevel=4)  # where `run` was called

    def _results(
        self, grid: Mapping[str, Sequence[Run]], done: runs.Completed, store: Store | None
    ) -> Results:
        """The records of a grid, by arm and seed, and by arm and pair of seeds."""
        first = grid[self.baseline]
        return Results(
            study=self,
            dataset=first[0].dataset,
            epochs=first[0].epochs,
            seeds=tuple(run.seed for run in first),
            settings=self._changed(first[0]),
            store=store,
            records={
                arm: {run.seed: done.run(run) for run in configs} for arm, configs in grid.items()
            },
            pairs={
                arm: {
                    (pair[0].seed, pair[1].seed): record
                    for pair in self.pairs_of(configs)
                    if (record := done.pair(*pair)) is not None
                }
                for arm, configs in grid.items()
            },
        )

    def _changed(self, run: Run) -> dict[str, Any]:
        """Settings of a baseline run that differ from the published ones, by parameter."""
        ours = {name: getattr(run, part.field) for name, part in PARAMETERS.items() if part.field}
        published = self.arms[self.baseline]
        return {
            name: value
            for name, value in ours.items()
            if value != getattr(published, PARAMETERS[name].field)
        }

    def recorded(self, store: Store | None = None) -> Results | None:
        """Results on the published seeds, in order, up to the first that an arm lacks.

        None if there are fewer than two.
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
            first = Parsed({"seeds": self.seeds[:count]})
            return self.run(first, store=store, progress=False, train=False)
        except MissingError:  # a pair of them has not been measured yet
            return None

    def pairs_of(self, configs: Sequence[Run]) -> list[tuple[Run, Run, str]]:
        """Pairs of an arm's runs (first and second, third and fourth, ...), with the measure."""
        if not self.pairs:
            return []
        return [(a, b, self.measure) for a, b in zip(configs[::2], configs[1::2], strict=False)]


def unpublishable(studies: Iterable[Study], todo: Iterable[Run], more: bool = False) -> str:
    """A warning if ``spatialnb publish`` would refuse the records that are about to be made.

    Empty if it would not, or if the runs belong to no published grid and so cannot be published.

    Parameters
    ----------
    studies : studies whose published grids may contain the runs.
    todo : the runs to make or measure.
    more : whether anything else is made that could be published.
    """
    wanted = {run.id for run in todo if not edition(run.dataset).quick}
    grids = (runs for study in studies for runs in study.configs().values())
    if not more and (not wanted or wanted.isdisjoint(run.id for runs in grids for run in runs)):
        return ""
    doubt = provenance.doubt()
    if not doubt:
        return ""
    return (
        f"Records made now cannot be published: {doubt}. If they are meant for the book, stop here "
        "and fix this first; otherwise ignore this warning."
    )


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that are None."""
    return {name: value for name, value in values.items() if value is not None}


def by_seed(grid: Mapping[str, Sequence[Run]]) -> list[Run]:
    """The runs of a grid in the order of training: the first seed of every arm, then the second.

    Whenever training stops, all arms have the same seeds, except possibly the last one.
    """
    return [run for seed in zip(*grid.values(), strict=True) for run in seed]
