"""Every fault of tools/faults, a few times each; book/guarantees.md shows the many."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "book" / "faults.json"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What the campaign writes down, in a process of its own: it forks, and mounts where it may."""
    out = tmp_path_factory.mktemp("faults") / "few.json"
    words = [sys.executable, "-m", "tools.faults", "--quick", "--out", str(out)]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=600, env={**os.environ}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["key"]: row for row in json.loads(out.read_text("utf-8"))["rows"]}


def test_no_fault_lets_anything_be_lost_or_let_in(few: dict[str, dict[str, object]]) -> None:
    assert [key for key, row in few.items() if row["wrong"]] == []
    tried = {key for key, row in few.items() if row["times"]}
    assert {"kill", "record_bytes", "archives", "idx", "given", "eight"} <= tried


def test_the_record_of_the_campaign_has_every_fault_and_nothing_that_went_wrong(
    few: dict[str, dict[str, object]],
) -> None:
    told = json.loads(RECORD.read_text("utf-8"))
    assert told["format"] == "spatialnb-faults/1"
    for row in told["rows"]:
        assert re.fullmatch("[0-9a-f]{40}", row["commit"]), "made on a package with edits"
    rows = {row["key"]: row for row in told["rows"]}
    assert list(rows) == list(few)
    assert all(row["wrong"] == 0 for row in rows.values())
    assert rows["kill"]["times"] >= 200
