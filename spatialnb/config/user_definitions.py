"""Kernels, schedules and actions of one's own: from a file, and into worker processes.

A kind's name and fields take part in a run's id; its formula cannot. So a record of such a run
keeps a few numbers that the formula gave, and is refused where it gives others now.
"""

from __future__ import annotations

import importlib.util
import math
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatialnb.config.run import Run
from spatialnb.priors import actions, kernels, schedules

PACKAGE = "spatialnb"
"""What is defined elsewhere is one's own."""
TOLERANCE = 1e-6
"""Relative difference of two numbers of a formula that another processor may make."""


def load(path: Path | str) -> None:
    """Run a Python file that registers kernels, schedules or actions.

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
        *(("kernel", name, kind) for name, kind in kernels.kernels.items()),
        *(("schedule", name, kind) for name, kind in schedules.schedules.items()),
        *(("action", name, function) for name, function in actions.actions().items()),
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
    into: dict[str, Any] = {
        "kernel": kernels.register,
        "schedule": schedules.register,
        "action": actions.register,
    }
    for what, name, kind in pickle.loads(data):
        into[what](name)(kind)


def definition(run: Run) -> list[float] | None:
    """A few numbers that a run's formulas give, where any is one's own; None where none is."""
    if not any(_is_own(kind) for kind in _kinds_of(run)):
        return None
    import torch  # here: to say what is one's own needs none

    from spatialnb.priors.geometry import layer_distance

    distance = layer_distance(5, 7)
    place = torch.arange(35, dtype=torch.float64).reshape(5, 7)
    weight, every = torch.sin(place), torch.cos(place)
    plans = [run.schedule, *([run.second.schedule] if run.second else [])]
    steps = [plan.at(progress) for plan in plans for progress in (0.0, 0.3, 1.0)]
    targets = [run.decay.target] if run.decay else []
    act = actions.action(run.action)
    numbers = [act(weight, kernel.strength(distance)) for kernel in steps]
    numbers += [target.strength(distance) for target in targets]
    return [float((part * every).sum()) for part in numbers]


def same_definition(run: Run, recorded: Any) -> bool:
    """Whether the formulas of a run give what they gave when it was recorded."""
    now = definition(run)
    if now is None:
        return True
    if not isinstance(recorded, list) or len(recorded) != len(now):
        return False
    return all(
        isinstance(old, float) and math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        for old, new in zip(recorded, now, strict=True)
    )


def _kinds_of(run: Run) -> Iterator[Any]:
    """Classes of the kernels and schedules of a run, and the function of its action."""
    yield actions.action(run.action)
    parts: list[Any] = [run]
    while parts:
        part = parts.pop()
        if isinstance(part, kernels.Kernel | schedules.Schedule):
            yield type(part)
        if hasattr(part, "__dataclass_fields__"):
            parts += [getattr(part, name) for name in part.__dataclass_fields__]


def _is_own(kind: Any) -> bool:
    return str(kind.__module__).partition(".")[0] != PACKAGE
