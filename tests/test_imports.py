"""What imports what: CONTRIBUTING's table is the contract; nothing heavy comes before its use.

The layers themselves are held by import-linter, in `make check`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spatialnb.records import provenance

ROOT = Path(__file__).parents[1]

HEAVY = {"matplotlib", "pandas", "scipy", "sklearn", "statsmodels", "torch"}
COMMAND = "sys.argv = ['spatialnb', '{}']; runpy.run_module('spatialnb', run_name='__main__')"
SHOWN = (
    "from spatialnb import report, studies; found = studies.get('v07').run(); "
    "report.glue_numbers(found); report.table(found); report.dots(found); report.verdicts(found)"
)
"""A chapter with pairs, as its notebook shows it."""
JUDGED = "judge', 'book/judge/results.csv', 'book/judge/claims.toml"
BACKENDS = (
    "from concurrent.futures import ThreadPoolExecutor; "
    "from spatialnb.execution.accelerator import Accelerator; Accelerator('cuda', stack=9); "
    "from spatialnb.execution.executor import ExecutorBackend; "
    "ExecutorBackend(ThreadPoolExecutor(1)); "
    "from spatialnb.execution.in_process import InProcess; InProcess(); "
    "from spatialnb.execution.process_pool import ProcessPool; ProcessPool()"
)
"""Backends that are named, and train nothing."""


def test_the_layers_in_contributing_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    checked = contracts["contracts"][0]["layers"]
    rows = re.findall(
        r"^\| ((?:`[a-z_]+`[ ,]*)+)\|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    shown = [" | ".join(re.findall(r"`(\w+)`", row)) for row in rows]
    assert shown == [layer for layer in checked if layer != "__main__"]


def test_every_package_has_its_own_layers_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    checked = {name for contract in contracts["contracts"] for name in contract["containers"]}
    found = [path.relative_to(ROOT) for path in ROOT.glob("spatialnb/*/__init__.py")]
    packages = {f"spatialnb.{path.parent.name}" for path in found if provenance.is_code(path)}
    # Studies may take an arm from one another, and are data besides.
    assert checked == {"spatialnb", *packages} - {"spatialnb.studies"}


@pytest.mark.parametrize(
    ("action", "heavy"),
    [
        ("import spatialnb", HEAVY),
        (COMMAND.format("--help"), HEAVY),
        (COMMAND.format("status"), HEAVY),
        (SHOWN, {"torch"}),
        (COMMAND.format(JUDGED), {"torch", "sklearn"}),
        (BACKENDS, HEAVY),
    ],
    ids=[
        "import spatialnb",
        "spatialnb --help",
        "spatialnb status",
        "a chapter from its records",
        "an experiment of one's own",
        "backends",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(action: str, heavy: set[str]) -> None:
    code = f"""
import runpy, sys
try:
    {action}
except SystemExit as end:
    assert not end.code, end.code
found = sorted({heavy!r} & set(sys.modules))
sys.exit(f"imported: {{found}}" if found else 0)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
