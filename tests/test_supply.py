"""What this project takes from others, and with what rights: nothing unpinned, no pickle."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from spatialnb.records import provenance

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spatialnb"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if provenance.is_code(path.relative_to(PACKAGE))
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

UNPICKLERS = {
    "cloudpickle",
    "cPickle",
    "dill",
    "joblib",
    "marshal",
    "pickle",
    "shelve",
}
EXCEPTIONS = {"user_definitions.py": {"pickle", "cloudpickle"}}
"""Kernels of one's own travel to one's own worker processes, through a pipe and never a file."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_nothing_unpickles_a_file(path: Path) -> None:
    imported, loads = set(), []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "needed":
            imported.add(ast.literal_eval(node.args[0]).split(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            named = {keyword.arg for keyword in node.keywords}
            if (module, node.func.attr) == ("torch", "load") and "weights_only" not in named:
                loads.append(node.lineno)
            if module in ("np", "numpy") and node.func.attr == "load" and "allow_pickle" in named:
                loads.append(node.lineno)
            if module in ("pd", "pandas") and node.func.attr == "read_pickle":
                loads.append(node.lineno)
    assert imported & UNPICKLERS <= EXCEPTIONS.get(path.name, set())
    assert loads == []


def test_what_travels_to_a_worker_is_unpacked_where_a_worker_begins_and_nowhere_else() -> None:
    functions = [
        (path.name, function)
        for path in MODULES
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
    ]
    callers = {
        (name, function.name)
        for name, function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "user_definitions.unpack"
    }
    assert callers == {("worker.py", "begin"), ("worker.py", "train_remotely")}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_names_each_action_by_its_commit_and_reads_only(path: Path) -> None:
    text = path.read_text("utf-8")
    used = re.findall(r"uses: *(\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action}: say its version"
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert "pull_request_target" not in text
    assert "secrets." not in text
    # Every checkout leaves no token behind for what runs after it.
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    writes = set(re.findall(r"^ +([\w-]+): write$", text, re.MULTILINE))
    assert writes <= {"pages", "id-token"}


def test_the_environment_states_one_version_of_each_package() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    packages = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert len(packages) > 100  # those that the named ones need, too
    for line in packages:
        assert re.match(r"[A-Za-z0-9._-]+==[^\s;]+( ; .+)?$", line), line


TORCH = re.compile(r"(torch|torchvision|triton)==|(nvidia|cuda)-")
"""torch's builds for processors and for CUDA share a version and differ in content."""


def test_every_locked_package_but_torch_s_has_its_hashes() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    packages = [line for line in lines if not line.lstrip().startswith("#")]
    hashed = re.split(r"\n(?=\S)", (ROOT / "hashes.txt").read_text("utf-8").strip())
    found = {entry.split(" \\\n")[0]: entry for entry in hashed if not entry.startswith("#")}
    assert list(found) == [line for line in packages if not TORCH.match(line)]
    for name, entry in found.items():
        assert re.search(r"\n    --hash=sha256:[0-9a-f]{64}", entry), name


def test_setup_installs_by_hash_what_has_one() -> None:
    rule = (ROOT / "Makefile").read_text("utf-8").partition("$(READY):")[2].partition("touch")[0]
    first, second = re.findall(r"pip install [^@]*", rule)
    assert "--require-hashes --no-deps --requirement hashes.txt" in first
    assert "--constraint constraints.txt" in second


# ── The audit ───────────────────────────────────────────────────────────────────────────────────


def audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD = {"name": "torch", "version": "1", "vulns": []}
FOUND = {"id": "GHSA-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}
UNKNOWN = {"name": "one", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([GOOD], 0, "1 packages looked up, 0 findings left"),
        ([GOOD, UNKNOWN], 2, "1 are not in the database: one"),
        ([UNKNOWN], 2, "could not be reached, so nothing was looked up"),
        ([{**GOOD, "vulns": [FOUND]}], 1, "torch 1: GHSA-1 CVE-1: fixed in 2"),
    ],
)
def test_the_audit_tells_nothing_found_from_nothing_asked(
    packages: list[dict[str, Any]], code: int, words: str
) -> None:
    lines, ended = audit().says(packages)
    assert ended == code
    assert words in "\n".join(lines)


def test_the_audit_explains_a_finding_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    module = audit()
    monkeypatch.setattr(module, "EXPLAINED", {"CVE-1": "only on another system"})
    lines, ended = module.says([{**GOOD, "vulns": [FOUND]}])
    assert ended == 0
    assert "explained: only on another system" in lines[0]
