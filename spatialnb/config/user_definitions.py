"""User-defined kernels, schedules, networks and so on: load from a file, send to workers."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import pickle
import re
import sys
import types
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from spatialnb.config import components, intervention, lr_schedules
from spatialnb.config.run import Run
from spatialnb.extras import needed
from spatialnb.priors import actions, kernels, schedules
from spatialnb.priors.kernels import Kernel
from spatialnb.priors.schedules import Schedule
from spatialnb.registry import Functions, Registry

ALONE = (
    "The notebook, the workers and the folder of a re-run receive only this file: put everything "
    "into it, or install the other file as a package"
)
"""Why a definition file cannot import a file beside it."""
PREFIX = "spatialnb_own_"
"""Prefix of the module name of a definition file."""
PACKAGE = "spatialnb"
"""Anything defined outside this package and torch is user-defined."""
REGISTRIES: dict[str, Functions[Any] | Registry[Any]] = {
    "kernel": kernels.kernels,
    "schedule": schedules.schedules,
    "action": actions.actions,
    "network": components.networks,
    "activation": components.activations,
    "initialisation": components.initialisations,
    "optimizer": components.optimizers,
    "learning_rate_decay": lr_schedules.decays,
    "intervention": intervention.interventions,
}
"""All registries, by what they register. Later ones may use earlier ones."""


def load(path: Path | str) -> None:
    """Run a Python file that registers kernels, schedules, networks, optimisers and so on.

    Raises
    ------
    FileNotFoundError : the file does not exist.
    ValueError : it registers a name that is taken, imports a file beside it, or raises an error
        itself, which the message quotes.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"definitions: no file {path}")
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"definitions: {path} is not a Python file (.py)")
    _refuse_neighbours(path)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # a dataclass looks up its module while it is created
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        _put_back(name, before)
        raise ValueError(f"definitions: {path}: {type(error).__name__}: {error}") from error


def forget(path: Path | str) -> None:
    """Unregister what a file has registered, so that another file can use the same names."""
    path = Path(path).expanduser().resolve()
    for name, module in list(sys.modules.items()):
        if name.startswith(PREFIX) and _same_file(Path(str(module.__file__)), path):
            del sys.modules[name]
            for registry in REGISTRIES.values():
                for word, kind in registry.items():
                    if kind.__module__ == name:
                        registry.forget(word)


def _module_name(path: Path) -> str:
    """A module name for a file; files with the same name in two folders are different modules.

    A copy of a file gets the same module, so that registering its names again is not a conflict.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(PREFIX) and _same_file(Path(str(module.__file__)), path):
            return name
    name = PREFIX + re.sub(r"\W", "_", path.stem)
    if name not in sys.modules:
        return name
    return f"{name}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _same_file(first: Path, second: Path) -> bool:
    """Whether two paths are the same file, or files with the same content."""
    try:
        return first.samefile(second) or first.read_bytes() == second.read_bytes()
    except OSError:  # the first was removed since
        return False


def _put_back(name: str, module: types.ModuleType | None) -> None:
    if module is None:
        del sys.modules[name]
    else:
        sys.modules[name] = module


def _refuse_neighbours(path: Path) -> None:
    """Raise ValueError if a file imports a module that only its own or the current folder contains.

    The notebook's kernel, the workers and later readers of the re-run run in other folders.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # reported when the file is run
    everywhere = [place for place in sys.path[1:] if place]  # sys.path[0] is the calling folder
    for name in sorted(_imported(tree)):
        if name.startswith("."):
            raise ValueError(f"definitions: {path} imports a file beside it. {ALONE}")
        if name in sys.builtin_module_names or name in sys.stdlib_module_names | {PACKAGE}:
            continue
        if PathFinder.find_spec(name, everywhere) is None and PathFinder.find_spec(
            name, [str(path.parent), *sys.path]
        ):
            raise ValueError(f"definitions: {path} imports {name!r}, a file beside it. {ALONE}")


def _imported(tree: ast.Module) -> set[str]:
    """The top-level names that a module imports; ``.`` for a relative import."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else str(node.module).partition(".")[0])
    return found


def kinds() -> list[tuple[str, str, Any]]:
    """Everything registered from outside the package: (``kernel``, name, class) and so on."""
    every = [
        (what, name, kind)
        for what, registry in REGISTRIES.items()
        for name, kind in registry.items()
    ]
    return [(what, name, kind) for what, name, kind in every if _is_own(kind)]


def packed() -> bytes:
    """All user-defined kinds, pickled by value for a process that cannot import their modules."""
    found = kinds()
    if not found:
        return pickle.dumps(found)
    cloudpickle = needed("cloudpickle")  # here: only user-defined kinds need it

    homes = {kind.__module__ for _, _, kind in found} & set(sys.modules) - {"__main__"}
    for home in homes:
        cloudpickle.register_pickle_by_value(sys.modules[home])
    try:
        return bytes(cloudpickle.dumps(found))
    finally:
        for home in homes:
            cloudpickle.unregister_pickle_by_value(sys.modules[home])


def unpack(data: bytes) -> None:
    """Register in this process what :func:`packed` has pickled."""
    for what, name, kind in pickle.loads(data):
        REGISTRIES[what].register(name)(kind)


def formulas_of(run: Run) -> list[Any]:
    """The user-defined kernels, schedules and actions of a run."""
    found = [part for part in _within(run) if isinstance(part, Kernel | Schedule)]
    kinds = [actions.actions.get(run.action), *(type(part) for part in found)]
    return [kind for kind in kinds if _is_own(kind)]


def parts_of(run: Run) -> list[Any]:
    """The other user-defined parts of a run: its network, optimiser, interventions and so on."""
    named = (
        (components.networks, run.network),
        (components.activations, run.activation),
        (components.initialisations, run.initialisation),
        (components.optimizers, run.optimizer),
        (lr_schedules.decays, run.learning_rate_decay),
    )
    kinds: list[Any] = [
        dict(registry.items()).get(name) for registry, name in named if name is not None
    ]
    kinds += [type(intervention) for intervention in run.interventions or ()]
    return [kind for kind in kinds if kind is not None and _is_own(kind)]


def _within(run: Run) -> Iterator[Any]:
    """A run's configuration and every object in it."""
    parts: list[Any] = [run]
    while parts:
        part = parts.pop()
        yield part
        if hasattr(part, "__dataclass_fields__"):
            parts += [getattr(part, name) for name in part.__dataclass_fields__]


def _is_own(kind: Any) -> bool:
    return str(kind.__module__).partition(".")[0] not in (PACKAGE, "torch")
