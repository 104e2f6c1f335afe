"""Results of a measurement, which are written to a file after every addition."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 400
"""Maximum length of a printed figure, in characters; the file has all of it."""


class Figures:
    """Figures by name, and the remaining time.

    Parameters
    ----------
    path : the JSON file. It is complete at any moment, so that all figures survive however the
        program ends.
    budget : the number of seconds that may be used.
    started : the time at which they began, from ``time.monotonic``.
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
        """Store a figure, and write the file."""
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
        """Print a line, with the remaining seconds."""
        print(f"[{self.left:5.0f} s left] {text}", flush=True)

    def part(self, name: str, least: float, work: Callable[[], None]) -> None:
        """Run a part of the measurement; a failure is recorded instead of raised.

        Parameters
        ----------
        name : the part's name.
        least : if fewer seconds are left, the part is left out, and this is recorded.
        work : runs the part.
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
    """The message of an error, and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in last[::-1])
    return f"{type(error).__name__}: {str(error)[:500]} ({where})"
