"""Which data files were found: one row per edition, for `spatialnb data check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spatialnb.datasets.catalogue import Edition, editions
from spatialnb.datasets.published import SOURCES, missing, read_first
from spatialnb.datasets.root import data_root


@dataclass(frozen=True, kw_only=True)
class Status:
    """Whether an edition can be loaded without a network.

    Parameters
    ----------
    edition : its name.
    found : the archive or folder it is read from; None if it is missing or needs none.
    ok : whether the files exist and are the published ones.
    message : the digest, or what is wrong, or which file to put where.
    """

    edition: str
    found: Path | None
    ok: bool
    message: str


def check(root: str | Path | None = None) -> list[Status]:
    """Look for every edition below the data root, and check all its files; downloads nothing."""
    return [_status(entry, data_root(root)) for entry in editions()]


def _status(entry: Edition, root: Path) -> Status:
    if entry.quick:
        return Status(edition=entry.name, found=None, ok=True, message="needs no files")
    candidates = SOURCES[entry.name].candidates(root)
    if not candidates:
        return Status(edition=entry.name, found=None, ok=False, message=missing(entry, root, ""))
    try:
        found, _, digest, warning = read_first(entry, candidates)
    except (ValueError, OSError) as error:
        return Status(edition=entry.name, found=candidates[0], ok=False, message=str(error))
    message = f"content digest {digest}" + (f". {warning}" if warning else "")
    return Status(edition=entry.name, found=found, ok=True, message=message)
