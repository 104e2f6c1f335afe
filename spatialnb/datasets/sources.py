"""The two forms of a data set on disk: loose files, or one archive or folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spatialnb.datasets.archive import SUFFIXES, Member, members

LARGEST_LOOSE = 2**26
"""Bytes read from a loose file before its MD5 is checked; MNIST's largest has 47,040,016."""


class Source(Protocol):
    """The files of one edition, below a data root."""

    @property
    def folder(self) -> str:
        """The folder that holds them, below the root or inside an archive."""

    @property
    def wanted(self) -> str:
        """What to put into the data root, in words."""

    def candidates(self, root: Path) -> list[Path]:
        """Archives and folders below `root` that may hold the files, in the order of trial."""

    def hint(self, root: Path) -> str:
        """Which files are misplaced or still packed, and what to do; empty if none."""

    def states(self, found: Path) -> Iterator[tuple[str, os.stat_result]]:
        """Names and states of the files on disk, for `fingerprint`."""

    def read(self, found: Path) -> dict[str, bytes]:
        """The content of every file by its name inside the edition."""


@dataclass(frozen=True, kw_only=True)
class Loose:
    """Named files in one folder, each with its published MD5.

    Parameters
    ----------
    folder : path below the root, or below a folder with the name of its first part.
    md5 : by file name.
    url : where the files are published.
    archive : file name of the public archive with all files, if there is one; otherwise each file
        is published separately, as ``.gz``.
    """

    folder: str
    md5: Mapping[str, str]
    url: str
    archive: str | None = None

    @property
    def wanted(self) -> str:
        return f"{self.folder}/ holding {', '.join(self.md5)} (from {self.url})"

    def candidates(self, root: Path) -> list[Path]:
        return [
            found
            for found in _places(root, self.folder)
            if all((found / name).is_file() for name in self.md5)
        ]

    def hint(self, root: Path) -> str:
        if any((root / name).is_file() for name in self.md5):
            return f"Some of its files are in {root} itself: move them into {root / self.folder}"
        names = [self.archive] if self.archive else [f"{name}.gz" for name in self.md5]
        folders = [root, *_places(root, self.folder)]
        packed = [place / name for place in folders for name in names if (place / name).is_file()]
        if packed:
            into = root if self.archive else root / self.folder
            how = "tar -xf" if self.archive else "gunzip"
            listed = ", ".join(str(path) for path in packed)
            return f"Packed files were found, {listed}: unpack them ({how}) into {into}"
        for place in folders[1:]:
            lacking = [name for name in self.md5 if not (place / name).is_file()]
            if place.is_dir() and 0 < len(lacking) < len(self.md5):
                return f"{place} lacks {', '.join(lacking)}"
        return ""

    def states(self, found: Path) -> Iterator[tuple[str, os.stat_result]]:
        for name in self.md5:
            yield name, (found / name).stat()

    def read(self, found: Path) -> dict[str, bytes]:
        """Raises ValueError if a file is not the published one."""
        contents = {}
        for name in self.md5:
            with (found / name).open("rb") as file:
                contents[name] = content = file.read(LARGEST_LOOSE)
            got = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if got != self.md5[name]:
                raise ValueError(
                    f"{found / name} is not the published file: its MD5 is {got}, expected "
                    f"{self.md5[name]}; delete it, so that it is downloaded again"
                )
        return contents


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive of one folder, or that folder unpacked.

    Parameters
    ----------
    folder : the top-level folder inside the archive.
    stems : file names of the archive, without the suffix (`archive.SUFFIXES`).
    pattern : a regular expression for the base names of wanted files; others are ignored.
    counts : the number of wanted files in each sub-folder; other sub-folders are ignored.
    limit : the maximum size of a wanted file, in bytes.
    url, md5 : the public archive; md5 is None if the publisher's file is not stable.
    """

    folder: str
    stems: tuple[str, ...]
    pattern: str
    counts: Mapping[str, int]
    limit: int
    url: str
    md5: str | None = None

    @property
    def archive(self) -> str:
        """File name of the downloaded public archive."""
        suffix = next(suffix for suffix in SUFFIXES if self.url.endswith(suffix))
        return self.stems[-1] + suffix

    @property
    def wanted(self) -> str:
        return (
            f"{' or '.join(self.stems)} with one of the endings {', '.join(SUFFIXES)} "
            f"(from {self.url}, saved as {self.archive}), or the unpacked folder {self.folder}/"
        )

    def candidates(self, root: Path) -> list[Path]:
        archives = [root / (stem + suffix) for stem in self.stems for suffix in SUFFIXES]
        folder, inner = _places(root, self.folder)
        found = [path for path in archives if path.is_file()]
        if folder.is_dir() and (self._is_whole(folder) or not inner.is_dir()):
            found.append(folder)
        return [*found, inner] if inner.is_dir() else found

    def hint(self, root: Path) -> str:
        if self._is_whole(root):
            return f"{root} is the unpacked folder itself: name its parent folder"
        return ""

    def _is_whole(self, folder: Path) -> bool:
        """Whether a folder has all the wanted sub-folders."""
        return all((folder / name).is_dir() for name in self.counts)

    def states(self, found: Path) -> Iterator[tuple[str, os.stat_result]]:
        if found.is_file():
            yield found.name, found.stat()
        else:
            for name, entry in self._entries(found):
                yield name, entry.stat()

    def read(self, found: Path) -> dict[str, bytes]:
        """The wanted files, by path from the sub-folder on, such as "train/cat/0000.jpg".

        Raises
        ------
        ValueError : unsafe or damaged archive (`archive.members`), a wanted file that is too large
            or duplicated, or a sub-folder with a wrong number of files.
        """
        contents: dict[str, bytes] = {}
        counted: Counter[str] = Counter()
        pattern = re.compile(
            rf"(?:\./)?{re.escape(self.folder)}/((?:{'|'.join(self.counts)})/{self.pattern})"
        )
        for member in members(found) if found.is_file() else self._unpacked(found):
            wanted = pattern.fullmatch(member.name)
            if wanted is None:
                continue
            name = wanted[1]
            if member.size > self.limit:
                raise ValueError(
                    f"{found}: {member.name} has {member.size:,} bytes, more than the "
                    f"{self.limit:,} that a file of this data set may have"
                )
            if name in contents:
                raise ValueError(
                    f"{found}: {member.name} is there twice; download the archive again"
                )
            contents[name] = member.read()
            counted[name.rpartition("/")[0]] += 1
        self._refuse_other_counts(found, counted)
        return contents

    def _refuse_other_counts(self, found: Path, counted: Mapping[str, int]) -> None:
        for folder, expected in self.counts.items():
            if counted.get(folder, 0) != expected:
                raise ValueError(
                    f"{found}: {self.folder}/{folder} holds {counted.get(folder, 0):,} files named "
                    f"like {self.pattern}, expected {expected:,}; the copy is incomplete or "
                    "another data set: download it again"
                )

    def _entries(self, found: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
        for folder in self.counts:
            if (found / folder).is_dir():
                with os.scandir(found / folder) as entries:
                    for entry in entries:
                        if entry.is_file():
                            yield f"{self.folder}/{folder}/{entry.name}", entry

    def _unpacked(self, found: Path) -> Iterator[Member]:
        for name, entry in self._entries(found):
            yield Member(name=name, size=entry.stat().st_size, read=Path(entry.path).read_bytes)


def _places(root: Path, folder: str) -> tuple[Path, Path]:
    """Possible paths of a folder: below the root, or in a folder made to unpack it into."""
    return root / folder, root / folder.partition("/")[0] / folder


def fingerprint(source: Source, found: Path) -> str:
    """A quick fingerprint that changes when a file changes: SHA-256 of names, sizes and times."""
    mark = hashlib.sha256()
    for name, state in sorted(source.states(found)):
        mark.update(f"{name}\n{state.st_size}\n{state.st_mtime_ns}\n".encode())
    return mark.hexdigest()
