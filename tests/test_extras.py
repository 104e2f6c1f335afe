"""The core alone: what works without the extras, and what is said where one is missing."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from spatialnb import extras
from spatialnb.records import provenance

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(lines: list[str]) -> set[str]:
    """The packages that requirements name, without this one."""
    return {plain(Requirement(line).name) for line in lines} - {"spatialnb"}


def with_theirs(names: set[str]) -> set[str]:
    """Packages with all that they need in turn, as installed here."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        found.add(name)
        for line in requires(name) or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                left |= {plain(wanted.name)} - found
    return found


CORE = with_theirs(named(PROJECT["dependencies"]))
MODULES = packages_distributions()
BLOCKED = sorted(
    module
    for module, owners in MODULES.items()
    if not {plain(owner) for owner in owners} & (CORE | {"spatialnb"})
)
"""Modules that are there because of the extras."""

ALONE = f"""
import sys
from importlib.machinery import PathFinder

class WithoutExtras:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {set(BLOCKED)!r}:
            return PathFinder.find_spec(name, path, target)

sys.meta_path = [WithoutExtras() if one is PathFinder else one for one in sys.meta_path]
"""


def alone(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A process in which only the core can be imported; `script` is its ``sys.argv[0]``."""
    named = f"sys.argv[0] = {options.pop('script', '-c')!r}\n"
    return subprocess.run(
        [sys.executable, "-c", ALONE + named + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_the_core_is_torch_numpy_and_little_else() -> None:
    assert {"torch", "numpy"} < CORE
    assert len(named(PROJECT["dependencies"])) <= 8
    for heavy in ("scipy", "pandas", "matplotlib", "papermill", "torchvision", "scikit-learn"):
        assert heavy not in CORE
    assert {"scipy", "pandas", "matplotlib", "papermill", "torchvision", "sklearn"} < set(BLOCKED)


def test_every_top_level_name_and_the_prior_work_with_the_core_alone() -> None:
    ended = alone(
        """
import json
import spatialnb
for name in spatialnb.__all__:
    getattr(spatialnb, name)
import torch
from spatialnb import Exponential, Run, Sharpen, attach, baked_copy, remove, step, train
from spatialnb.study.judging import judge
schedule = Sharpen(k_start=3, k_end=9, kernel=Exponential())
model = attach(torch.nn.Sequential(torch.nn.Linear(4, 3)), schedule)
step(model, schedule, 0.5)
plain = baked_copy(model)
remove(model)
torch.testing.assert_close(plain.state_dict(), model.state_dict())
print(json.dumps(train(Run(dataset="quick-colours", epochs=1)).outcome["status"]))
"""
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == "finished"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from spatialnb import report; report.ledger([])", "spatialnb.report.ledger needs pandas"),
        ("from spatialnb import report; report.figure", "spatialnb.report.figure needs matplotlib"),
        (
            "from spatialnb.study import inference; inference.mean_interval([1.0, 2.0])",
            "this needs scipy",
        ),
        (
            "from spatialnb import datasets; datasets.load('quick-digits')",
            "this needs scikit-learn",
        ),
        (
            "from spatialnb.datasets.torchvision_shim import import_torchvision as f; f()",
            "this needs torchvision",
        ),
    ],
    ids=["report", "figures", "statistics", "data", "torchvision"],
)
def test_what_is_missing_is_named_with_its_extra(code: str, said: str) -> None:
    ended = alone(code)
    assert ended.stderr.endswith(f"ModuleNotFoundError: {said}: pip install 'spatialnb[run]'\n")


COMMAND = """
from spatialnb.commands.cli import main
main(sys.argv[1:], prog_name="spatialnb")
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run v05 --quick --out OUT", "spatialnb run needs papermill"),
        ("ledger", "spatialnb ledger needs (pandas|statsmodels|scipy)"),
        ("judge book/judge/results.csv book/judge/claims.toml", "spatialnb judge needs scipy"),
    ],
)
def test_a_command_says_what_it_needs_before_it_does_anything(
    words: str, said: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    ended = alone(
        COMMAND,
        *words.replace("OUT", str(tmp_path / "out")).split(),
        cwd=ROOT,
        env={"SPATIALNB_STORE": str(store), "PYTHONPATH": str(ROOT)},
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(rf"Error: {said}: pip install 'spatialnb\[run\]'\n", ended.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["--help", "run --help", "data check", "status"])
def test_a_command_that_needs_the_core_alone_has_it(words: str) -> None:
    ended = alone(COMMAND, *words.split(), cwd=ROOT)
    assert ended.returncode == 0, ended.stderr


# ── The lists ───────────────────────────────────────────────────────────────────────────────────


def imported(path: Path) -> set[str]:
    """Top names of what a module imports, in whatever way."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("needed", "extras.check"):
            found |= {ast.literal_eval(part) for part in node.args}
    return {name.partition(".")[0] for name in found}


def test_every_package_that_is_imported_is_in_the_core_or_brought_by_the_extra_named() -> None:
    package = ROOT / "spatialnb"
    used = {
        name
        for path in package.rglob("*.py")
        if provenance.is_code(path.relative_to(package))
        for name in imported(path)
        if name not in sys.stdlib_module_names | {"spatialnb"}
    }
    by_extra = {name: with_theirs(named(lines)) for name, lines in EXTRAS.items()}
    core = named(PROJECT["dependencies"])
    for name in used:
        owners = {plain(owner) for owner in MODULES[name]}
        assert owners & core or owners & by_extra[extras.EXTRAS[name]], name
    assert set(extras.EXTRAS) <= used


def test_every_extra_is_installed_by_make() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (asked,) = re.findall(r"--editable '\.\[([\w,]+)\]'", makefile)
    found, left = set(), set(asked.split(","))
    while left:
        name = left.pop()
        found.add(name)
        for line in EXTRAS[name]:
            wanted = Requirement(line)
            if wanted.name == "spatialnb":
                left |= wanted.extras - found
    assert found == set(EXTRAS)


def test_a_module_that_no_extra_brings_is_no_matter_of_extras() -> None:
    own = ModuleNotFoundError("No module named 'mine'", name="mine")
    assert extras.sentence(own) is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module_at_all'"):
        extras.needed("no_such_module_at_all")
    extras.check("torch", "numpy")
