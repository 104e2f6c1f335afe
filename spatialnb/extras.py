"""What is installed besides the core, and what to say where it is not.

``pip install spatialnb`` brings what puts a prior on a network and trains a run: torch, numpy and a
few small packages. The rest comes with an extra, such as ``pip install 'spatialnb[run]'``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

EXTRAS = {
    "IPython": "run",
    "PIL": "run",
    "cloudpickle": "run",
    "distributed": "cluster",
    "ipykernel": "run",
    "jupyter_client": "run",
    "latex2mathml": "run",
    "matplotlib": "run",
    "nbclient": "run",
    "nbconvert": "run",
    "nbformat": "run",
    "pandas": "run",
    "papermill": "run",
    "pooch": "run",
    "scipy": "run",
    "sklearn": "run",
    "statsmodels": "run",
    "torchvision": "run",
    "traitlets": "run",
}
"""The extra that brings a module, by the module's top name."""
CALLED = {"PIL": "pillow", "distributed": "dask.distributed", "sklearn": "scikit-learn"}
"""What a module is called where it is installed, if that is another name."""


def sentence(error: ModuleNotFoundError, what: str = "this") -> str | None:
    """What needs which package, and how to install it; None for a module that no extra brings."""
    name = (error.name or "").partition(".")[0]
    if name not in EXTRAS:
        return None
    return f"{what} needs {CALLED.get(name, name)}: pip install 'spatialnb[{EXTRAS[name]}]'"


def needed(module: str) -> Any:
    """A module that an extra brings.

    Raises
    ------
    ModuleNotFoundError : it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _explained(error, "this") from error


def check(*modules: str) -> None:
    """Make sure that modules are installed, without importing them.

    Raises
    ------
    ModuleNotFoundError : one is not installed; the message names the extra.
    """
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise _explained(ModuleNotFoundError(f"No module named {name!r}", name=name), "this")


def explained(get: Callable[[str], Any], package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose parts are imported late, with the extra in its errors.

    Parameters
    ----------
    get : what gives a name of the package.
    package : its name, for the message.
    """

    @functools.wraps(get)
    def lookup(name: str) -> Any:
        try:
            return get(name)
        except ModuleNotFoundError as error:
            raise _explained(error, f"{package}.{name}") from error

    return lookup


def _explained(error: ModuleNotFoundError, what: str) -> ModuleNotFoundError:
    said = sentence(error, what)
    return error if said is None else ModuleNotFoundError(said, name=error.name, path=error.path)
