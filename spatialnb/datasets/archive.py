"""Reads the files of an archive without unpacking it, and refuses what has no place there."""

from __future__ import annotations

import contextlib
import functools
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".tar.xz", ".tar.gz", ".tgz", ".tar.bz2", ".tar.zst", ".tar", ".zip")
# What the readers raise; RuntimeError is zipfile on a member with a password.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A regular file of an archive: its path inside, its size in bytes, and how to read it."""

    name: str
    size: int
    read: Callable[[], bytes]


def members(path: Path) -> Iterator[Member]:
    """The regular files of a tar (any compression that tarfile reads) or zip archive, in order.

    A member is to be read before the next one is asked for; nothing is written to disk.

    Raises
    ------
    ValueError : a member has an absolute path, climbs out with "..", or is neither a regular
        file nor a folder (link, device, pipe), or the archive is cut off or damaged.
    """
    with _naming(path):
        yield from _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says which archive it was that could not be read."""
    try:
        yield
    except DAMAGE as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}): it is cut off, damaged or "
            "not an archive; delete it and fetch it again"
        ) from error


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:*") as tar:
        for info in tar:
            _refuse_unsafe(path, info.name, regular=info.isreg() or info.isdir())
            if info.isreg():
                read = functools.partial(_read_tar, path, tar, info)
                yield Member(name=info.name, size=info.size, read=read)


def _read_tar(path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    with _naming(path):
        content = tar.extractfile(info)
        assert content is not None  # regular files always have content
        return content.read()


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix made the archive
            regular = info.is_dir() or kind in (0, stat.S_IFREG)
            _refuse_unsafe(path, info.filename, regular=regular)
            if not info.is_dir():
                read = functools.partial(_read_zip, path, archive, info)
                yield Member(name=info.filename, size=info.file_size, read=read)


def _read_zip(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with _naming(path):
        return archive.read(info)


def _refuse_unsafe(path: Path, name: str, *, regular: bool) -> None:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
        raise ValueError(
            f"{path} holds the member {name!r}, a path that leads out of the archive's own folder; "
            "no honest copy does: delete it and fetch it again from a source you trust"
        )
    if not regular:
        raise ValueError(
            f"{path} holds the member {name!r}, which is a link or a special file; only files and "
            "folders are allowed: delete it and fetch it again from a source you trust"
        )
