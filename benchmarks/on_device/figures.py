"""The figures of a measurement, written to a file after every addition."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 400
"""Characters of a figure that are shown while it is measured; the file has all."""


class Figures:
    """Figures by name, and how much of the time is left.

    Parameters
    ----------
    path : the JSON file. It is whole at any moment: what was measured when the program ends, by
        whatever cause, is there.
    budget : seconds that may be used.
    started : when they began, as ``time.monotonic`` counts.
    """

    def __init__(self, path: Path, budget: float, started: float) -> None:
        self._path, self._started, self._ends = path, started, started + budget
        self.found: dict[str, Any] = {}
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def left(self) -> float:
        """Seconds until the budget is used up."""
        return self._ends - time.monotonic()

    def keep(self, name: str, value: Any, show: bool = True) -> None:
        """Keep a figure, and write all of them."""
        self.found[name] = value
        self.found["seconds_used"] = round(time.monotonic() - self._started, 1)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        part.replace(self._path)
        if show:
            self.say(f"{name}: {json.dumps(value)[:LONGEST]}")

    def add(self, name: str, row: Any) -> None:
        """Add a row to a list of figures."""
        self.keep(name, [*self.found.get(name, []), row], show=False)
        self.say(f"{name}: {json.dumps(row)[:LONGEST]}")

    def say(self, text: str) -> None:
        """Print a line, with the seconds that are left."""
        print(f"[{self.left:5.0f} s left] {text}", flush=True)

    def part(self, name: str, least: float, work: Callable[[], None]) -> None:
        """One part of the measurement; a failure is kept, and the next part goes on.

        Parameters
        ----------
        name : of the part.
        least : seconds that have to be left, else it is left out and that is kept.
        work : does it.
        """
        if self.left < least:
            self.add("left_out", f"{name}: {self.left:.0f} s were left, and it takes {least:.0f}")
            return
        started = time.monotonic()
        try:
            work()
        except Exception as error:
            self.add("failed", {"part": name, "error": told(error)})
        took = round(time.monotonic() - started, 1)
        self.keep("seconds", {**self.found.get("seconds", {}), name: took}, show=False)
        self.say(f"{name} took {took} s")


def told(error: Exception) -> str:
    """What an error says, and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in last[::-1])
    return f"{type(error).__name__}: {str(error)[:500]} ({where})"
