"""What is where: one row an edition, for `spatialnb data check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spatialnb.datasets.catalogue import Edition, editions
from spatialnb.datasets.published import SOURCES, missing, read_checked
from spatialnb.datasets.root import data_root


@dataclass(frozen=True, kw_only=True)
class Status:
    """Whether an edition can be loaded without a network.

    Parameters
    ----------
    edition : its name.
    found : the archive or folder it is read from; None where it is missing or needs none.
    ok : the files are there and are the published ones.
    message : the digest, or what is wrong, or which file to put where.
    """

    edition: str
    found: Path | None
    ok: bool
    message: str


def check(root: str | Path | None = None) -> list[Status]:
    """Looks for every edition below the data root and checks all its files; downloads nothing."""
    return [_status(entry, data_root(root)) for entry in editions()]


def _status(entry: Edition, root: Path) -> Status:
    if entry.quick:
        return Status(edition=entry.name, found=None, ok=True, message="needs no files")
    found = SOURCES[entry.name].find(root)
    if found is None:
        return Status(edition=entry.name, found=None, ok=False, message=missing(entry, root, ""))
    try:
        _, digest = read_checked(entry, found)
    except (ValueError, OSError) as error:
        return Status(edition=entry.name, found=found, ok=False, message=str(error))
    return Status(edition=entry.name, found=found, ok=True, message=f"content digest {digest}")
