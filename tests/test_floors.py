"""A room of the package imports only from the floors below its own. CONTRIBUTING.md explains it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spatialnb"

FLOORS = {
    "cluster": 0,
    "geometry": 0,
    "neurons": 0,
    "provenance": 0,
    "registry": 0,
    "statistics": 0,
    "actions": 1,
    "asymmetric": 1,
    "claims": 1,
    "kernels": 1,
    "rates": 1,
    "sparse": 1,
    "masks": 2,
    "schedules": 2,
    "fixed": 3,
    "folded": 3,
    "priors": 3,
    "backprop": 4,
    "config": 4,
    "similarity": 4,
    "alignment": 5,
    "datasets": 5,
    "models": 5,
    "own": 5,
    "pruning": 5,
    "records": 5,
    "kept": 6,
    "metrics": 6,
    "parameters": 6,
    "todo": 6,
    "training": 6,
    "weights": 6,
    "equivalence": 7,
    "likeness": 7,
    "stacked": 7,
    "two_tasks": 7,
    "workers": 8,
    "runs": 9,
    "study": 10,
    "report": 11,
    "studies": 12,
    "publish": 13,
    "rerun": 13,
    "scaffold": 13,
    "verify": 13,
    "cli": 14,
}

DOORS = {"__init__", "__main__"}
"""`import spatialnb` and `python -m spatialnb` lead to every room; no room leads to them."""

HEAVY = {"matplotlib", "pandas", "scipy", "sklearn", "statsmodels", "torch"}
COMMAND = "sys.argv = ['spatialnb', '{}']; runpy.run_module('spatialnb', run_name='__main__')"
SHOWN = (
    "from spatialnb import report, studies; found = studies.get('v07').run(); "
    "report.glue_numbers(found); report.table(found); report.dots(found); report.verdicts(found)"
)
"""A chapter with pairs, as its notebook shows it."""


def room(path: Path) -> str:
    """The room of a module: ``kernels.py`` and everything in ``datasets/`` are one room each."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(source: str, package: str) -> Iterator[tuple[str, int]]:
    """Rooms that a module imports, with the line; `package` is what its relative imports start at.

    A name taken from `spatialnb` itself that is not a room counts as the door ``__init__``.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "spatialnb":
                first = rest.split(".")[0]
                yield (first if first in FLOORS else "__init__"), node.lineno


MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_belongs_to_a_room_with_a_floor(path: Path) -> None:
    assert room(path) in FLOORS | dict.fromkeys(DOORS), (
        f"spatialnb/{name_of(path)} has no floor: give the room {room(path)!r} one, in FLOORS of "
        "tests/test_floors.py and in the table of CONTRIBUTING.md"
    )


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in FLOORS], ids=name_of)
def test_a_room_imports_only_from_floors_below_its_own(path: Path) -> None:
    own = room(path)
    package = ".".join(["spatialnb", *path.relative_to(PACKAGE).parts[:-1]])
    wrong = [
        f"line {line}: {own} (floor {FLOORS[own]}) imports "
        + (f"{other} (floor {FLOORS[other]})" if other in FLOORS else "from the package itself")
        for other, line in imported_rooms(path.read_text("utf-8"), package)
        if other != own and FLOORS.get(other, len(FLOORS)) >= FLOORS[own]
    ]
    assert not wrong, f"spatialnb/{name_of(path)} reaches up or sideways:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "package", "rooms"),
    [
        ("import spatialnb.kernels", "spatialnb", ["kernels"]),
        ("from spatialnb import kernels, priors", "spatialnb", ["kernels", "priors"]),
        ("from spatialnb.kernels import Linear", "spatialnb", ["kernels"]),
        ("from spatialnb import Linear", "spatialnb", ["__init__"]),
        ("def f():\n    from .kernels import Linear", "spatialnb", ["kernels"]),
        ("from . import vision", "spatialnb.datasets", ["datasets"]),
        ("from .. import runs", "spatialnb.datasets", ["runs"]),
        ("from ..runs import run", "spatialnb.datasets", ["runs"]),
        ("import torch\nfrom pathlib import Path", "spatialnb", []),
    ],
)
def test_every_way_to_import_a_room_is_seen(source: str, package: str, rooms: list[str]) -> None:
    assert [found for found, _ in imported_rooms(source, package)] == rooms


def test_the_floors_are_those_that_contributing_explains() -> None:
    table = {
        name: int(row[1])
        for row in re.finditer(
            r"^\| (\d+) \| ([^|]*) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M
        )
        for name in re.findall(r"`(\w+)`", row[2])
    }
    assert table == FLOORS


@pytest.mark.parametrize(
    ("action", "heavy"),
    [
        ("import spatialnb", HEAVY),
        (COMMAND.format("--help"), HEAVY),
        (COMMAND.format("status"), HEAVY),
        (SHOWN, {"torch"}),
    ],
    ids=["import spatialnb", "spatialnb --help", "spatialnb status", "a chapter from its records"],
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
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
