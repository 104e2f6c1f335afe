"""Optional dependencies, and error messages that say how to install them.

``pip install spatialnb`` installs what is needed to put a prior on a network and to train a run:
torch, numpy and a few small packages. Other packages come with an extra, for example
``pip install 'spatialnb[run]'``.
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
"""The extra that installs a module, by the module's top-level name."""
CALLED = {"PIL": "pillow", "distributed": "dask.distributed", "sklearn": "scikit-learn"}
"""Names of packages that differ from the names of their modules."""


def sentence(error: ModuleNotFoundError, what: str = "this") -> str | None:
    """Say what needs which package, and how to install it; None if no extra installs it."""
    name = (error.name or "").partition(".")[0]
    if name not in EXTRAS:
        return None
    return f"{what} needs {CALLED.get(name, name)}: pip install 'spatialnb[{EXTRAS[name]}]'"


def needed(module: str) -> Any:
    """Import and return a module that an extra installs.

    Raises
    ------
    ModuleNotFoundError : the module is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _explained(error, "this") from error


def check(*modules: str) -> None:
    """Check that modules are installed, without importing them.

    Raises
    ------
    ModuleNotFoundError : a module is not installed; the message names the extra.
    """
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise _explained(ModuleNotFoundError(f"No module named {name!r}", name=name), "this")


def explained(get: Callable[[str], Any], package: str) -> Callable[[str], Any]:
    """Wrap the ``__getattr__`` of a lazily importing package, so that its errors name the extra.

    Parameters
    ----------
    get : the ``__getattr__`` to wrap, from a name to its value.
    package : the package's name, for the message.
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
