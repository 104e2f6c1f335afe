"""Reads the files of an archive without unpacking it, and refuses what has no place there."""

from __future__ import annotations

import contextlib
import functools
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".tar.xz", ".tar.gz", ".tgz", ".tar.bz2", ".tar.zst", ".tar", ".zip")

MOST_BYTES = 2**31
"""An archive that unpacks to more is a bomb: the largest here, IMDB's, has half a gigabyte."""
MOST_MEMBERS = 300_000
"""The same for the number of members: IMDB's has a third of that."""
MOST_HEADER = 2**13
"""A tar's extended header is read into memory whole, and older Pythons take a time that grows with
its square; honest ones hold a path, of 4 KiB at most."""
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a zip may be packed. Of the other methods zipfile inflates a whole piece, which can be
thousands of times as large as announced, before it looks at the announced size."""


class RefusedError(ValueError):
    """What is refused of an archive that can be read."""


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
        file nor a folder (link, device, pipe), or the archive is cut off or damaged, or unpacks
        to more than any data set here has.
    """
    with _naming(path):
        yield from _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says which archive it was that could not be read, whatever its reader stumbled over."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())  # tarfile has a line a format
        raise ValueError(
            f"{path} cannot be read ({why}): it is cut off, damaged or not an archive; delete it "
            "and fetch it again"
        ) from error


class _Header(tarfile.TarInfo):
    """A header that is looked at before what it announces is read.

    Files with holes are refused: the list of their holes has no announced length.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE:
            info._refuse_holes()
        plain = info.type in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE)
        if info.size < 0 or (not plain and info.size > MOST_HEADER):
            raise ValueError(
                f"a header of the type {info.type!r} announces {info.size:,} bytes, and at most "
                f"{MOST_HEADER:,} are honest"
            )
        return info

    def _refuse_holes(self, *_: object) -> None:
        raise ValueError("a file with holes, which no data set here has")

    # What tarfile calls for the three other ways to write holes; private, so a test holds them.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_holes


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:*", tarinfo=_Header) as tar:
        sizes = _Sizes(path)
        for info in tar:
            _refuse_unsafe(path, info.name, regular=info.isreg() or info.isdir())
            sizes.add(info.size)
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
        sizes = _Sizes(path)
        for info in archive.infolist():
            name = _slashed(info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix made the archive
            folder = name.endswith("/")
            _refuse_unsafe(path, name, regular=folder or kind in (0, stat.S_IFREG))
            sizes.add(info.file_size)
            if info.compress_type not in ZIP_METHODS:
                raise RefusedError(
                    f"{path} holds {info.filename!r}, packed by method {info.compress_type}; only "
                    "stored and deflated files are read: fetch it again from a source you trust"
                )
            if not folder:
                read = functools.partial(_read_zip, path, archive, info)
                yield Member(name=name, size=info.file_size, read=read)


def _slashed(name: str) -> str:
    r"""A member's name in the format's own form: some programs on Windows write ``a\b``."""
    return name if "/" in name else name.replace("\\", "/")


def _read_zip(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content, as much of it as is announced: without a number, all would be inflated first."""
    with _naming(path), archive.open(info) as content:
        found = content.read(info.file_size)
        if len(found) != info.file_size:
            raise zipfile.BadZipFile(f"{info.filename} is shorter than announced")
        return found


class _Sizes:
    """What an archive has announced so far, refused where it is too much for a data set."""

    def __init__(self, path: Path) -> None:
        self.path, self.members, self.bytes = path, 0, 0

    def add(self, size: int) -> None:
        """One more member of so many bytes."""
        self.members += 1
        self.bytes += size
        if size < 0 or self.bytes > MOST_BYTES or self.members > MOST_MEMBERS:
            raise RefusedError(
                f"{self.path} announces more than {MOST_BYTES:,} bytes or {MOST_MEMBERS:,} members,"
                " more than any data set here has; fetch it again from a source you trust"
            )


def _refuse_unsafe(path: Path, name: str, *, regular: bool) -> None:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
        raise RefusedError(
            f"{path} holds the member {name!r}, a path that leads out of the archive's own folder; "
            "no honest copy does: delete it and fetch it again from a source you trust"
        )
    if not regular:
        raise RefusedError(
            f"{path} holds the member {name!r}, which is a link or a special file; only files and "
            "folders are allowed: delete it and fetch it again from a source you trust"
        )
