"""Where the data files lie, and where what was decoded from them is kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

DATA_VARIABLE = "SPATIALNB_DATA"
CACHE_VARIABLE = "SPATIALNB_CACHE"


def data_root(root: str | Path | None = None) -> Path:
    """The folder of the data files: `root`, else ``$SPATIALNB_DATA``, else one for the user.

    That is ``data`` in the user's cache directory. The folder may be read-only when nothing is
    missing from it.
    """
    return _chosen(root, DATA_VARIABLE, "data")


def cache_root() -> Path:
    """The folder of the decoded tensors: ``$SPATIALNB_CACHE``, else one for the user.

    That is ``decoded`` in the user's cache directory. Deleting it costs nothing but the time to
    decode again.
    """
    return _chosen(None, CACHE_VARIABLE, "decoded")


def from_environment(variable: str) -> Path | None:
    """The folder that an environment variable names, or None.

    A relative one is meant from the folder that the command was called in. A notebook's kernel, for
    one, works in the notebook's folder, where it would name another.

    Raises
    ------
    ValueError : it is relative, and this process works elsewhere than it was called.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    folder = Path(named).expanduser()
    called_in = Path(os.environ.get("PWD") or ".")
    if not (folder.is_absolute() or (called_in.is_dir() and called_in.samefile("."))):
        raise ValueError(
            f"{variable} is {named!r}, and this process works in {Path.cwd()}, not in {called_in}, "
            f"where it was called; name the whole path, such as {called_in / folder}"
        )
    return folder


def _chosen(path: str | Path | None, variable: str, folder: str) -> Path:
    chosen = Path(path).expanduser() if path else from_environment(variable)
    return chosen or default_root(folder)


def default_root(folder: str) -> Path:
    """The user's folder of that name, which is made when it is needed; a named one has to be there.

    Parameters
    ----------
    folder : ``data`` or ``decoded``.
    """
    return platformdirs.user_cache_path("spatialnb", appauthor=False) / folder
