"""Read the files of an archive without unpacking it, and refuse unsafe members."""

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
"""Maximum unpacked size, against archive bombs; the largest archive here, IMDB's, has 0.5 GB."""
MOST_MEMBERS = 300_000
"""Maximum number of members; IMDB's archive has a third of that."""
MOST_HEADER = 2**13
"""Maximum size of a tar's extended header. It is read into memory as a whole, and older Python
versions take quadratic time; legitimate ones hold a path of at most 4 KiB."""
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Allowed compression methods of a zip. With others, zipfile decompresses a whole block, which can
be thousands of times larger than declared, before it checks the declared size."""


class RefusedError(ValueError):
    """An archive can be read but is refused as unsafe."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A regular file of an archive: its path inside, its size in bytes, and how to read it."""

    name: str
    size: int
    read: Callable[[], bytes]


def members(path: Path) -> Iterator[Member]:
    """The regular files of a tar (any compression that tarfile reads) or zip archive, in order.

    Read each member before requesting the next one. Nothing is written to disk.

    Raises
    ------
    ValueError : a member has an absolute path, leaves the archive's folder with "..", or is neither
        a regular file nor a folder (link, device, pipe); or the archive is truncated or damaged, or
        unpacks to more than any data set here.
    """
    with _naming(path):
        yield from _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn any error of the archive's reader into a ValueError that names the archive."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())  # tarfile: one line per format
        raise ValueError(
            f"{path} cannot be read ({why}): it is truncated, damaged or not an archive; delete it "
            "and download it again"
        ) from error


class _Header(tarfile.TarInfo):
    """A tar header that is checked before the content it declares is read.

    Sparse files are refused, because the length of their list of holes is not declared.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE:
            info._refuse_holes()
        plain = info.type in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE)
        if info.size < 0 or (not plain and info.size > MOST_HEADER):
            raise ValueError(
                f"a header of the type {info.type!r} declares {info.size:,} bytes, but at most "
                f"{MOST_HEADER:,} are allowed"
            )
        return info

    def _refuse_holes(self, *_: object) -> None:
        raise ValueError("a sparse file, which no data set here contains")

    # tarfile calls these for the three other sparse formats; they are private, so a test pins them.
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
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if the archive was not made on Unix
            folder = name.endswith("/")
            _refuse_unsafe(path, name, regular=folder or kind in (0, stat.S_IFREG))
            sizes.add(info.file_size)
            if info.compress_type not in ZIP_METHODS:
                raise RefusedError(
                    f"{path} contains {info.filename!r}, compressed by method "
                    f"{info.compress_type}; only stored and deflated files are read: download it "
                    "again from a source you trust"
                )
            if not folder:
                read = functools.partial(_read_zip, path, archive, info)
                yield Member(name=name, size=info.file_size, read=read)


def _slashed(name: str) -> str:
    r"""A member's name with slashes, since some programs on Windows write ``a\b``."""
    return name if "/" in name else name.replace("\\", "/")


def _read_zip(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content, limited to the declared size; without a limit, everything would be inflated."""
    with _naming(path), archive.open(info) as content:
        found = content.read(info.file_size)
        if len(found) != info.file_size:
            raise zipfile.BadZipFile(f"{info.filename} is shorter than declared")
        return found


class _Sizes:
    """Sums the sizes that an archive declares, and refuses it if they are too large."""

    def __init__(self, path: Path) -> None:
        self.path, self.members, self.bytes = path, 0, 0

    def add(self, size: int) -> None:
        """Count one more member of `size` bytes."""
        self.members += 1
        self.bytes += size
        if size < 0 or self.bytes > MOST_BYTES or self.members > MOST_MEMBERS:
            raise RefusedError(
                f"{self.path} declares more than {MOST_BYTES:,} bytes or {MOST_MEMBERS:,} members, "
                "more than any data set here; download it again from a source you trust"
            )


def _refuse_unsafe(path: Path, name: str, *, regular: bool) -> None:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
        raise RefusedError(
            f"{path} contains the member {name!r}, whose path leads out of the archive's folder; "
            "delete the archive and download it again from a source you trust"
        )
    if not regular:
        raise RefusedError(
            f"{path} contains the member {name!r}, which is a link or a special file; only files "
            "and folders are allowed: delete the archive and download it again from a source you "
            "trust"
        )
