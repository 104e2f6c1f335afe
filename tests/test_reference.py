"""The reference of the package: every public module on a page, every public name explained."""

import ast
import importlib
import inspect
import re
import types
from pathlib import Path

import pytest

import spatialnb
from spatialnb.records import provenance

ROOT = Path(__file__).parents[1]
PAGES = [path.read_text("utf-8") for path in sorted((ROOT / "book").glob("reference*.md"))]
MODULES = re.findall(r"^\.\. automodule:: (spatialnb[\w.]+)$", "\n".join(PAGES), re.MULTILINE)
INSIDE = {"commands.backend_options", "commands.cli", "commands.own_kernel", "records.provenance"}
"""Modules that are no interface: the commands have their own help."""
WHOLE = {"datasets", "report", "studies"}
"""Packages that are documented as one; of the others, every module is."""

every_module = pytest.mark.parametrize("name", MODULES)


def test_every_module_is_on_one_page_once():
    package = ROOT / "spatialnb"
    every = {
        path.relative_to(package).with_suffix("").as_posix().replace("/", ".")
        for path in package.rglob("[a-z]*.py")
        if provenance.is_code(path.relative_to(package))
    }
    inside = {name for name in every if name.split(".")[0] in WHOLE}
    assert sorted(MODULES) == sorted(
        f"spatialnb.{name}" for name in (every - inside - INSIDE) | WHOLE
    )


def test_every_name_of_the_package_is_a_package_or_comes_from_a_module_of_the_reference():
    for name in spatialnb.__all__:
        value = getattr(spatialnb, name)
        home = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
        assert any(f"{module}.".startswith(f"{home}.") for module in MODULES), name


def public(module):
    """Public classes and functions of a module, and the public methods of its classes."""
    exported = getattr(module, "__all__", None) or vars(module)
    for name in (name for name in exported if not name.startswith("_")):
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if not str(value.__module__).startswith(module.__name__):
            continue
        yield name, value
        if inspect.isclass(value):
            for part, method in vars(value).items():
                if not part.startswith("_") and (
                    inspect.isfunction(method) or isinstance(method, property)
                ):
                    yield f"{name}.{part}", getattr(value, part)


@every_module
def test_every_public_name_is_explained(name):
    module = importlib.import_module(name)
    assert module.__doc__
    bare = [what for what, value in public(module) if not (inspect.getdoc(value) or "").strip()]
    assert bare == []


@every_module
def test_every_public_constant_is_explained(name):
    body = ast.parse(Path(importlib.import_module(name).__file__).read_text("utf-8")).body
    bare = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if not names or names[0].startswith("_") or "TypeVar" in ast.unparse(node):
            continue
        explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        bare += [] if explained else names
    assert bare == []
