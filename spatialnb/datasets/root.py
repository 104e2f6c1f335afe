"""The folders of the data files and of the decoded tensors."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

DATA_VARIABLE = "SPATIALNB_DATA"
CACHE_VARIABLE = "SPATIALNB_CACHE"


def data_root(root: str | Path | None = None) -> Path:
    """The folder of the data files: `root`, else ``$SPATIALNB_DATA``, else a default.

    The default is ``data`` in the user's cache directory. The folder may be read-only if no file is
    missing.
    """
    return _chosen(root, DATA_VARIABLE, "data")


def cache_root() -> Path:
    """The folder of the decoded tensors: ``$SPATIALNB_CACHE``, else a default.

    The default is ``decoded`` in the user's cache directory. It can be deleted; the data are then
    decoded again.
    """
    return _chosen(None, CACHE_VARIABLE, "decoded")


def from_environment(variable: str) -> Path | None:
    """The folder that an environment variable names, or None.

    A relative path is relative to the folder in which the command was called. It is refused in
    processes that run elsewhere, such as a notebook's kernel, where it would name another folder.

    Raises
    ------
    ValueError : the path is relative, and this process runs in another folder.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    folder = Path(named).expanduser()
    called_in = Path(os.environ.get("PWD") or ".")
    if not (folder.is_absolute() or (called_in.is_dir() and called_in.samefile("."))):
        raise ValueError(
            f"{variable} is {named!r}, but this process runs in {Path.cwd()}, not in {called_in}, "
            f"where it was called; use an absolute path, such as {called_in / folder}"
        )
    return folder


def _chosen(path: str | Path | None, variable: str, folder: str) -> Path:
    chosen = Path(path).expanduser() if path else from_environment(variable)
    return chosen or default_root(folder)


def default_root(folder: str) -> Path:
    """The default folder of that name, created when needed; a folder named by the user must exist.

    Parameters
    ----------
    folder : ``data`` or ``decoded``.
    """
    return platformdirs.user_cache_path("spatialnb", appauthor=False) / folder
