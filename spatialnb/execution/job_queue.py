"""The queue of runs to train, with a progress bar; finished runs are recorded immediately."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from tqdm import tqdm

from spatialnb.config.run import Run
from spatialnb.records import weight_cache
from spatialnb.records.store import Record, Store


class JobQueue:
    """The runs that a :class:`~spatialnb.execution.backend.Backend` trains, and its progress.

    Parameters
    ----------
    runs : the runs to train.
    paired : ids of the runs whose learned weights a pair needs.
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
        """The file for the run's learned weights; None if no pair needs them."""
        return weight_cache.path_of(run.id) if self.needs_weights(run) else None

    def finish(
        self, record: Record, weights: bytes | None = None, answers: Record | None = None
    ) -> None:
        """Record a finished run, and remove it from the queue.

        Its weights and answers are written first, so that a recorded run is always complete.
        """
        if weights is not None:
            weight_cache.write(weights, weight_cache.path_of(record.id))
        if answers is not None:
            weight_cache.save_record(answers, self._store)
        weight_cache.save_record(record, self._store)
        del self._waiting[record.id]
        self._describe()

    def advance(self, epochs: int = 1) -> None:
        """Advance the progress bar."""
        self._bar.update(epochs)

    def on_epoch(self, runs: int = 1) -> Callable[[int], None]:
        """A callback for the end of each epoch; it advances the bar by one epoch per run."""

        def advance(_: int) -> None:
            self.advance(runs)

        return advance

    def recount(self) -> None:
        """Reset the bar to the epochs of finished runs, since a lost run is trained again."""
        self._bar.n = self._bar.total - sum(run.epochs for run in self._waiting.values())

    def announce(self, text: str) -> None:
        """Show a description beside the bar."""
        self._bar.set_description(text)

    def say(self, text: str) -> None:
        """Print a line above the bar; prints nothing if no bar is shown."""
        if not self._bar.disable:
            self._bar.write(text, file=sys.stderr)

    def _describe(self) -> None:
        self.announce(f"{self.total - len(self)} of {self.total} runs")
