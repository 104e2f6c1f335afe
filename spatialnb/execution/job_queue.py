"""Runs that wait to be trained, with a progress bar; finished ones are recorded at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from tqdm import tqdm

from spatialnb.config.run import Run
from spatialnb.records import weight_cache
from spatialnb.records.store import Record, Store


class JobQueue:
    """What a :class:`~spatialnb.execution.backend.Backend` trains, and where it reports.

    Parameters
    ----------
    runs : the runs to train.
    paired : ids of those whose learned weights a pair needs.
    store : where finished runs are recorded.
    bar : counts epochs.
    """

    def __init__(
        self, runs: Sequence[Run], paired: Collection[str], store: Store, bar: tqdm[None]
    ) -> None:
        self._waiting = {run.id: run for run in runs}
        self._paired, self._store, self._bar = paired, store, bar
        self.total = len(self._waiting)
        self._describe()

    def __len__(self) -> int:
        """How many runs are not finished yet."""
        return len(self._waiting)

    @property
    def runs(self) -> list[Run]:
        """The runs that are not finished yet, in order."""
        return list(self._waiting.values())

    def needs_weights(self, run: Run) -> bool:
        """Whether a pair needs the run's learned weights."""
        return run.id in self._paired

    def weights_path(self, run: Run) -> Path | None:
        """Where the run's learned weights belong; None where no pair needs them."""
        return weight_cache.path_of(run.id) if self.needs_weights(run) else None

    def finish(
        self, record: Record, weights: bytes | None = None, answers: Record | None = None
    ) -> None:
        """Record a finished run, and take it off the queue.

        What belongs to it is written first: a recorded run has all that it should leave.
        """
        if weights is not None:
            weight_cache.write(weights, weight_cache.path_of(record.id))
        if answers is not None:
            weight_cache.save_record(answers, self._store)
        weight_cache.save_record(record, self._store)
        del self._waiting[record.id]
        self._describe()

    def advance(self, epochs: int = 1) -> None:
        """Move the bar on."""
        self._bar.update(epochs)

    def on_epoch(self, runs: int = 1) -> Callable[[int], None]:
        """What training calls after each epoch: it moves the bar on by one epoch of each run."""

        def advance(_: int) -> None:
            self.advance(runs)

        return advance

    def recount(self) -> None:
        """Set the bar to the epochs of finished runs: those of a lost run are trained again."""
        self._bar.n = self._bar.total - sum(run.epochs for run in self._waiting.values())

    def announce(self, text: str) -> None:
        """Show what is trained now beside the bar."""
        self._bar.set_description(text)

    def say(self, text: str) -> None:
        """Print a line above the bar; nothing where no bar is shown."""
        if not self._bar.disable:
            self._bar.write(text, file=sys.stderr)

    def _describe(self) -> None:
        self.announce(f"{self.total - len(self)} of {self.total} runs")
