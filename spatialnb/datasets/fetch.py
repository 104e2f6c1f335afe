"""Download missing files into a data root, with a progress bar and a checksum."""

from __future__ import annotations

import os
from http.client import HTTPException
from pathlib import Path

from spatialnb.datasets import vision
from spatialnb.datasets.catalogue import Edition
from spatialnb.datasets.published import SOURCES, missing, read_checked
from spatialnb.datasets.root import default_root
from spatialnb.datasets.sources import Packed
from spatialnb.extras import needed


def fetch(entry: Edition, root: Path) -> None:
    """Download an edition's files into `root`, through torchvision or pooch, which check MD5s.

    If the publisher gives no MD5, the content digest is checked. Incomplete downloads and wrong
    files are deleted.

    Raises
    ------
    FileNotFoundError : `root` cannot be written, was named but does not exist, or the download
        failed; the message says which file to put where.
    """
    try:
        if root == default_root("data"):
            root.mkdir(parents=True, exist_ok=True)
        elif not root.is_dir():  # most likely mistyped
            raise FileNotFoundError(f"there is no folder {root}: create it, or name another")
        if not os.access(root, os.W_OK):
            raise PermissionError(f"{root} cannot be written")
        source = SOURCES[entry.name]
        if isinstance(source, Packed):
            _retrieve(source, root)
            if source.md5 is None:
                _keep_published(entry, root / source.archive)
        else:
            vision.download(entry.name, root, source.folder)
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())  # torchvision's has many lines
        why = f" and could not be downloaded ({said})"
        raise FileNotFoundError(missing(entry, root, why)) from error


def _retrieve(source: Packed, root: Path) -> None:
    pooch = needed("pooch")  # here: importing it in a notebook warns about missing widgets

    pooch.retrieve(
        source.url,
        known_hash=f"md5:{source.md5}" if source.md5 else None,
        fname=source.archive,
        path=root,
        progressbar=True,
    )


def _keep_published(entry: Edition, path: Path) -> None:
    try:
        read_checked(entry, path)
    except ValueError:
        path.unlink()
        raise
