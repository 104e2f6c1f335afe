"""The store of finished runs: one small JSON file per run, written once.

A record is first written to a temporary file on the same file system, flushed and synced, and then
hard-linked to its name. A link never replaces a file, so the first writer wins and no partial file
is ever read. On file systems without links, a lock and a rename do the same. On reading, the
checksum is verified against the content, the id against the configuration, and the structure
against what readers need.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spatialnb.config.run import Run, canonical, digest
from spatialnb.datasets.root import from_environment
from spatialnb.records import provenance

STORE_VARIABLE = "SPATIALNB_STORE"
"""The environment variable that names the working store."""
FORMAT = "spatialnb-record/1"
"""Name and version of the format, stored in every record."""
KINDS = ("run", "pair", "weight", "answer")
"""Kinds of records. Each kind has a folder, named in the plural."""

NO_LINKS = {
    getattr(errno, name)
    for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV", "EINVAL")
    if hasattr(errno, name)
}
"""Errors of file systems without hard links: FAT, many network and container mounts."""

PARTIAL = ".part"
"""Suffix of temporary files."""

ABANDONED_SECONDS = 24 * 3600.0
"""A temporary file older than this was left by a writer that was killed."""

PROBE_BYTES = 64 * 1024
"""Free space a store needs before anything is trained: a few records."""


class RecordError(ValueError):
    """A file in the store that is not a valid record."""


class MissingError(RecordError):
    """Required records are missing."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished run, a measurement of a pair of runs, or a run's weight summary or answers.

    Parameters
    ----------
    kind : ``run``, ``pair``, ``weight`` or ``answer``.
    config : the configuration, plain JSON data; its hash is the id.
    outcome : the results. For a run: ``status`` (``finished`` or ``failed``), ``epochs`` (one list
        per quantity, one number per epoch) and ``final`` (numbers at the end). For a pair: numbers.
        For weights: the output of :func:`spatialnb.analysis.weight_summary.summarise`. For answers:
        see :mod:`spatialnb.records.answers`.
    provenance : commit, versions, edition and hash of the data, device, threads, seconds.
    """

    kind: str
    config: dict[str, Any]
    outcome: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the configuration's SHA-256."""
        return digest(self.config)[:16]

    @property
    def run(self) -> Run:
        """The configuration of a run, decoded. ValueError for another kind or schema."""
        return Run.from_dict(self.config)

    @property
    def failed(self) -> bool:
        """Whether the run failed because its numbers were no longer finite."""
        return bool(self.outcome.get("status") == "failed")

    def to_json(self) -> str:
        """The file's text: readable, with a checksum over everything else."""
        body = {
            "format": FORMAT,
            "id": self.id,
            "kind": self.kind,
            "config": self.config,
            "outcome": self.outcome,
            "provenance": self.provenance,
        }
        return _pretty({**body, "sha256": digest(body)})

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Parse the text of a record file. RecordError says what is wrong with it."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"not JSON ({error})") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise RecordError(f"not a record of the format {FORMAT}")
        found = data.pop("sha256", None)
        try:
            expected = digest(data)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"not a record: {error}") from error
        if found != expected:
            raise RecordError("its checksum does not match its content: the file was changed")
        expected_keys = {"format", "id", "kind", "config", "outcome", "provenance"}
        if set(data) != expected_keys or data["kind"] not in KINDS:
            raise RecordError(f"expected the fields {sorted(expected_keys)}, got {sorted(data)}")
        for name in ("config", "outcome", "provenance"):
            if not isinstance(data[name], dict):
                raise RecordError(f"{name}: expected an object, got {data[name]!r:.60}")
        record = cls(
            kind=data["kind"],
            config=data["config"],
            outcome=data["outcome"],
            provenance=data["provenance"],
        )
        if record.id != data["id"]:
            raise RecordError(f"its id {data['id']} is not that of its configuration, {record.id}")
        if record.to_json() != text:  # whitespace, digits beyond a double, a duplicate key
            raise RecordError("its text differs from what was written: the file was changed")
        return record


class Store:
    """Folders of records; new records are written to the first one.

    Parameters
    ----------
    folders : the working folder, then any others, e.g. the published records. A record is looked up
        in the last folder first.
    """

    def __init__(self, *folders: Path | str) -> None:
        if not folders:
            raise ValueError("a store needs at least one folder")
        self.folders = tuple(Path(folder) for folder in folders)

    def find(self, record_id: str, kind: str = "run") -> Record | None:
        """The record with that id, or None. RecordError if the file is damaged."""
        path = self.path(record_id, kind)
        return None if path is None else read(path)

    def get(self, record_id: str, kind: str = "run") -> Record:
        """The record with that id, which must exist. RecordError if it is missing."""
        record = self.find(record_id, kind)
        if record is None:
            raise RecordError(
                f"the {kind} {record_id} was recorded but is missing; do not empty a store in use"
            )
        return record

    def path(self, record_id: str, kind: str = "run") -> Path | None:
        """The path of the record's file, or None."""
        for folder in reversed(self.folders):  # published ones first
            path = folder / f"{kind}s" / f"{record_id}.json"
            if path.is_file():
                return path
        return None

    def prepare(self) -> None:
        """Check that records can be written, before hours are spent on training.

        Also removes temporary files of killed writers that are more than a day old.

        Raises
        ------
        OSError : the first folder cannot be created or written, or its disk is full; the message
            names the folder.
        """
        for kind in ("runs", "pairs", "answers"):  # what training writes
            folder = self.folders[0] / kind
            try:
                folder.mkdir(parents=True, exist_ok=True)
                handle, probe = tempfile.mkstemp(prefix=".", suffix=PARTIAL, dir=folder)
                with contextlib.closing(os.fdopen(handle, "wb")) as file, _removed(probe):
                    file.write(bytes(PROBE_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"{error.strerror or error}: no records can be written there, so nothing is "
                    "trained. Free space, or choose another folder with --store or SPATIALNB_STORE",
                    str(folder),
                ) from error
            for entry in _entries(folder):
                if entry.name.startswith(".") and entry.name.endswith(PARTIAL):
                    with contextlib.suppress(OSError):
                        if time.time() - entry.stat().st_mtime > ABANDONED_SECONDS:
                            Path(entry.path).unlink()

    def ids(self, kind: str = "run") -> set[str]:
        """The ids of all records, from the file names alone."""
        return {
            entry.name.removesuffix(".json")
            for folder in self.folders
            for entry in _entries(folder / f"{kind}s")
            if entry.name.endswith(".json") and entry.name.count(".") == 1
        }

    def add(self, record: Record) -> Path:
        """Write a record once, and return its path.

        If a record with that id and the same outcome already exists, nothing is written. If the
        outcome differs, both are kept and RecordError names them, because one configuration must
        not give two results.

        Raises
        ------
        RecordError : as above, or the existing record is damaged.
        OSError : the folder cannot be written; no partial file is left behind.
        """
        old_path = self.path(record.id, record.kind)
        if old_path is not None:
            return self._settle(record, old_path)
        path = self.folders[0] / f"{record.kind}s" / f"{record.id}.json"
        if not write_once(path, record.to_json()):
            return self._settle(record, path)
        return path

    def conflicts(self) -> list[Path]:
        """Files with results that differ from the recorded result of the same id."""
        return sorted(
            Path(entry.path)
            for folder in self.folders
            for kind in KINDS
            for entry in _entries(folder / f"{kind}s")
            if ".conflict-" in entry.name
        )

    def _settle(self, record: Record, path: Path) -> Path:
        old = read(path)
        if canonical(old.outcome) == canonical(record.outcome):
            return path
        other = (
            self.folders[0]
            / f"{record.kind}s"
            / f"{record.id}.conflict-{digest(record.outcome)[:8]}.json"
        )
        write_once(other, record.to_json())
        raise RecordError(
            f"two results for one configuration: {path} and {other}. Both are kept and the first "
            "is used. If torch's build and the CPU are the same, the code now computes something "
            "else: increase the recipe number in spatialnb/config/run.py."
        )


def read(path: Path) -> Record:
    """Read the record in a file. RecordError names the file and what is wrong with it."""
    try:
        record = Record.from_json(path.read_bytes().decode("utf-8"))
    except (RecordError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{path}: {error}. The file is not used. Restore it, or delete it to train the run "
            "again."
        ) from error
    if record.id != path.name.split(".")[0]:
        raise RecordError(
            f"{path}: contains the record {record.id}, so the file is not used. Restore the right "
            "file, or delete this one to train the run again."
        )
    wrong = _misshapen(record)
    if path.parent.name in {f"{kind}s" for kind in KINDS} - {f"{record.kind}s"}:
        wrong = f"a {record.kind} among the {path.parent.name}"
    if wrong:
        raise RecordError(
            f"{path}: {wrong}. The file is not used. Restore it, or delete it to train the run "
            "again."
        )
    return record


def _misshapen(record: Record) -> str:
    """What is wrong with the structure of a record whose checksum is right; empty if nothing is."""
    if record.kind != "run":
        return "" if record.outcome else f"a {record.kind} without an outcome"
    if record.outcome.get("status") not in ("finished", "failed"):
        return f"status {record.outcome.get('status')!r}: expected 'finished' or 'failed'"
    epochs = record.outcome.get("epochs")
    if not isinstance(epochs, dict):
        return "its outcome has no epochs"
    for name, values in epochs.items():
        if not isinstance(values, list) or not all(type(one) in (int, float) for one in values):
            return f"{name}: expected a list of numbers"
    if record.failed and type(record.outcome.get("failed_epoch")) is not int:
        return "a failed run without the epoch in which it failed"
    return ""


def write_once(path: Path, text: str) -> bool:
    """Write a file if its name is free; return False if the name is taken.

    Whenever the process or the machine stops, the name is either free or has the complete text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=PARTIAL, dir=path.parent)
    with _removed(temporary):
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            if not _name(temporary, path):
                return False
            _sync_folder(path.parent)
            return True
        except OSError as error:  # the error of a full disk names no file
            error.filename = error.filename or str(path)
            raise


def _name(temporary: str, path: Path) -> bool:
    """Give a complete file its name, in one step; False if the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _rename_under_lock(temporary, path)
    return True


def _rename_under_lock(temporary: str, path: Path) -> bool:
    """The same on a file system without links; a lock is needed because a rename replaces files.

    The operating system releases the lock if its holder is killed.
    """
    from filelock import FileLock  # here: most file systems have links

    with FileLock(path.parent / ".lock"):
        if path.exists():
            return False
        Path(temporary).rename(path)
    return True


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new name in it is on disk, if the system supports this."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that can be written but not listed
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def _removed(path: str) -> Iterator[None]:
    """Remove the temporary file afterwards, whatever happens inside."""
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def _pretty(data: dict[str, Any]) -> str:
    """JSON with each list of numbers on one line, so that records are easy to read and to diff."""
    lines = [f'  "{key}": {_value(value, 2)}' for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any, indent: int) -> str:
    if isinstance(value, dict) and value:
        pad = " " * (indent + 2)
        inner = [
            f"{pad}{json.dumps(key)}: {_value(item, indent + 2)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(inner) + "\n" + " " * indent + "}"
    return json.dumps(value, allow_nan=False)


def book_folder() -> Path:
    """The book's sources, beside the package in a checkout."""
    return provenance.PACKAGE.parent / "book"


def published_folder() -> Path:
    """The book's committed records."""
    return book_folder() / "records"


def refuse_inputs(folder: Path, what: str) -> None:
    """Raise ValueError if an output folder lies inside the book or the package.

    Parameters
    ----------
    folder : the output folder; need not exist.
    what : the option or variable that named it, such as ``--out``, for the message.
    """
    inputs = [book_folder(), published_folder(), provenance.PACKAGE]
    whole = folder.expanduser().resolve()
    for place in (whole, *whole.parents):
        for sources in inputs:
            if place.exists() and sources.exists() and place.samefile(sources):
                raise ValueError(
                    f"{what}: {folder} lies in {sources}, whose files would be overwritten or "
                    "mixed with others; choose a folder outside it"
                )


def default_store(
    working: Sequence[Path] = (), *, only_read: bool = False, alone: bool = False
) -> Store:
    """The working store and the published records, or with `alone` only the working store.

    The working store is ``SPATIALNB_STORE``, or ``records`` in the user's data directory.

    Raises
    ------
    ValueError : the variable holds a relative path, and this process runs in another folder than it
        was called from; or the working store lies in the book or the package, unless `only_read`.
    """
    from platformdirs import user_data_path  # here: importing this module touches no disk

    named = None if working else from_environment(STORE_VARIABLE)
    first = named or user_data_path("spatialnb") / "records"
    chosen = tuple(working) or (first,)
    if not only_read:
        refuse_inputs(chosen[0], "--store" if working else STORE_VARIABLE)
    return Store(*chosen, *(() if alone else (published_folder(),)))
