"""Every chapter's runs and claims, in tests/pinned.json: there once, and they stay.

An id names records, so it may never move by accident; a claim and its rule are written down before
the runs that decide it. A new chapter's are added to the file when its claims are committed, which
may be before it has a page.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import synthetic

from spatialnb.records.store import Store, published_folder
from spatialnb.studies import STUDIES, WITHOUT_PAGE, get

PINNED = json.loads(Path(__file__).with_name("pinned.json").read_text("utf-8"))


def in_order(chapters: dict[str, dict[str, dict[str, str]]]) -> list[list[str]]:
    return [list(chapters), *(list(part) for both in chapters.values() for part in both.values())]


def test_runs_keep_their_ids_and_claims_their_rules() -> None:
    there = Store(published_folder()).ids()
    found = {
        study.id: {
            "arms": {arm: run.id for arm, run in study.arms.items()},
            "claims": {claim.key: claim.rule for claim in study.claims},
        }
        for study in map(get, [*STUDIES, *WITHOUT_PAGE])
        if study.id in PINNED
        or (study.id in STUDIES and any(run.id in there for run in study.arms.values()))
    }
    assert found == PINNED
    assert in_order(found) == in_order(PINNED)


def test_the_arms_of_a_chapter_are_different_runs() -> None:
    for study in STUDIES.values():
        assert len({run.id for run in study.arms.values()}) == len(study.arms), study.id


def test_a_chapter_makes_its_own_claims() -> None:
    for study in STUDIES.values():
        assert {claim.chapter for claim in study.claims} <= {study.id}


@pytest.mark.parametrize("chapter", [name for name in PINNED if name[0] == "c" and name != "c5"])
def test_claims_are_judged_in_order_when_all_seeds_are_there(chapter: str) -> None:
    """Part I's are judged in test_studies.py, and the pairs of c5 in its own file."""
    study = get(chapter)
    findings = synthetic.results(study).findings()
    assert [found.claim.key for found in findings] == [claim.key for claim in study.claims]
    assert not [found for found in findings if found.verdict == "not judged"]
