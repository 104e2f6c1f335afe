"""The measurements of a run after each epoch, until a number is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


class History:
    """Collects the outcome of a run.

    Parameters
    ----------
    names : quantities that appear in the outcome even if no epoch finishes.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.epochs: dict[str, list[float]] = {name: [] for name in names}
        self.failed_epoch: int | None = None

    def add(self, epoch: int, measured: Mapping[str, float]) -> bool:
        """Add an epoch's numbers. If one is not finite, add nothing and return False."""
        if not all(math.isfinite(value) for value in measured.values()):
            self.failed_epoch = epoch
            return False
        for name, value in measured.items():
            self.epochs.setdefault(name, []).append(value)
        return True

    def outcome(self, final: Mapping[str, Any]) -> dict[str, Any]:
        """The outcome to record: ``failed`` with the epoch, or ``finished`` with `final`."""
        if self.failed_epoch is not None:
            return {"status": "failed", "failed_epoch": self.failed_epoch, "epochs": self.epochs}
        return {"status": "finished", "epochs": self.epochs, "final": dict(final)}
