"""Your own kernels, schedules, networks and so on: from a file, and into worker processes."""

from __future__ import annotations

import importlib.util
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatialnb.config import components, intervention, lr_schedules
from spatialnb.config.run import Run
from spatialnb.priors import actions, kernels, schedules
from spatialnb.priors.kernels import Kernel
from spatialnb.priors.schedules import Schedule
from spatialnb.registry import Functions, Registry

PACKAGE = "spatialnb"
"""What is defined elsewhere, but for torch, is the user's own."""
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
"""All that can be registered, by the word for one. What is later here may use what is earlier."""


def load(path: Path | str) -> None:
    """Run a Python file that registers kernels, schedules, networks, optimisers and so on.

    Raises
    ------
    FileNotFoundError : it is not there.
    ValueError : it registers a name that is taken, or raises an error of its own, which is named.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"definitions: no file {path}")
    name = "spatialnb_own_" + re.sub(r"\W", "_", path.stem)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"definitions: {path} is not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its module up while it is made
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"definitions: {path}: {type(error).__name__}: {error}") from error


def kinds() -> list[tuple[str, str, Any]]:
    """What is registered outside the package: (``kernel``, name, class) and so on."""
    every = [
        (what, name, kind)
        for what, registry in REGISTRIES.items()
        for name, kind in registry.items()
    ]
    return [(what, name, kind) for what, name, kind in every if _is_own(kind)]


def packed() -> bytes:
    """Every kind of one's own by value, for a process that cannot import where it was defined."""
    found = kinds()
    if not found:
        return pickle.dumps(found)
    import cloudpickle  # here: only what is one's own needs it

    homes = {kind.__module__ for _, _, kind in found} & set(sys.modules) - {"__main__"}
    for home in homes:
        cloudpickle.register_pickle_by_value(sys.modules[home])
    try:
        return bytes(cloudpickle.dumps(found))
    finally:
        for home in homes:
            cloudpickle.unregister_pickle_by_value(sys.modules[home])


def unpack(data: bytes) -> None:
    """Register what :func:`packed` holds, in this process."""
    for what, name, kind in pickle.loads(data):
        REGISTRIES[what].register(name)(kind)


def formulas_of(run: Run) -> list[Any]:
    """The user-defined kernels, schedules and actions of a run."""
    found = [part for part in _within(run) if isinstance(part, Kernel | Schedule)]
    kinds = [actions.actions.get(run.action), *(type(part) for part in found)]
    return [kind for kind in kinds if _is_own(kind)]


def parts_of(run: Run) -> list[Any]:
    """What else of a run is user-defined: its network, optimiser, interventions and so on."""
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
