"""When each claim was written, and when the first record that decides it was made.

Read from ``book/registration.json``, which ``python -m tools.register_claims`` writes from the git
history, so that it is also available in a source archive without history.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from spatialnb.records.store import published_folder
from spatialnb.study.claims import Claim


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A claim in the git history.

    Parameters
    ----------
    written, first_record : the commits that added the claim, and the first records by which it can
        be judged; each with date and subject.
    written_before : whether `written` is an ancestor of `first_record`.
    looked_at_before : results that had been seen before the claim was written, as its page says.
    amendments : commits that changed the claim's rule or bounds, with the reason.
    """

    written: dict[str, str]
    first_record: dict[str, str] | None
    written_before: bool
    looked_at_before: str | None
    amendments: tuple[dict[str, Any], ...]

    @property
    def short(self) -> str:
        """Whether the claim was written before its runs, for a table."""
        if not self.written_before:
            return "after"
        return "before, after a look" if self.looked_at_before else "before"

    @property
    def sentence(self) -> str:
        """The registration as sentences."""
        said, amended = self.dates, self.amended
        if self.looked_at_before:
            said += f" Looked at before: {self.looked_at_before}."
        return " ".join([said, amended] if amended else [said])

    @property
    def dates(self) -> str:
        """A sentence: when the claim was written, and when its first record was made."""
        when = f"Written on {self.written['date'][:10]} ({self.written['commit'][:7]})"
        if self.first_record is not None:
            order = "before" if self.written_before else "after"
            first = self.first_record
            when += f", {order} its first record ({first['commit'][:7]}, {first['date'][:10]})"
        return when + "."

    @property
    def amended(self) -> str:
        """The amendments as sentences; empty if there are none."""
        said = []
        for one in self.amendments:
            before = "before" if one["before_its_first_record"] else "after"
            said.append(
                f"Amended in {one['commit'][:7]}, {before} its first record: "
                f"{one['before']['rule']} became {one['after']['rule']}. {one['reason']}"
                if "rule" in one["before"]
                else f"Amended in {one['commit'][:7]}, {before} its first record. {one['reason']}"
            )
        return " ".join(said)

    def row(self) -> dict[str, Any]:
        """The registration as JSON data."""
        return {
            "written": self.written["commit"],
            "written_on": self.written["date"],
            "first_record": self.first_record and self.first_record["commit"],
            "written_before_its_first_record": self.written_before,
            "looked_at_before": self.looked_at_before,
            "amendments": [
                {name: one[name] for name in ("commit", "date", "before", "after", "reason")}
                for one in self.amendments
            ],
        }


@functools.cache
def _all() -> dict[tuple[str, str], Registration]:
    path = published_folder().parent / "registration.json"
    if not path.is_file():
        return {}
    fields = ("written", "first_record", "written_before", "looked_at_before")
    return {
        (row["chapter"], row["key"]): Registration(
            **{name: row[name] for name in fields}, amendments=tuple(row["amendments"])
        )
        for row in json.loads(path.read_text(encoding="utf-8"))["claims"]
    }


def registration(claim: Claim) -> Registration | None:
    """The claim's registration; None if there is none, as for your own claims."""
    return registered(claim.chapter, claim.key)


def registered(chapter: str, key: str) -> Registration | None:
    """The registration for a chapter and key, also of claims of another class, such as spread."""
    return _all().get((chapter, key))
