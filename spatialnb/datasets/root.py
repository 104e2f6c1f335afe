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


def _chosen(path: str | Path | None, variable: str, folder: str) -> Path:
    chosen = path or os.environ.get(variable)
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("spatialnb", appauthor=False) / folder
