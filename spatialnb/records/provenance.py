"""Where a record comes from: what by design does not change its numbers, kept beside them."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the whole package: an edit anywhere in it is an edit of the code behind a
number."""

PACKAGES = ("spatialnb", "torch", "torchvision", "numpy", "scikit-learn", "pillow", "safetensors")


CODE = (".py", ".pyi")
"""What files of code end in; the stubs say where a name of the package is imported from."""


@functools.cache
def commit() -> str:
    """The checkout's commit, ``+`` added where its code was edited; ``unknown`` outside one."""
    return _checkout().commit


def doubt() -> str:
    """Why nobody could find the code behind a record made now; empty where anybody can."""
    found = _checkout()
    if found.commit == "unknown":
        return f"the commit of the code is not known: {found.why}"
    if found.edited:
        more = f" and {len(found.edited) - 1} more" if len(found.edited) > 1 else ""
        return f"the code is not as it was committed: {found.edited[0]}{more}"
    return ""


@dataclass(frozen=True, kw_only=True)
class _Checkout:
    """The commit, the files of code that are not as it has them, and why there is no commit."""

    commit: str
    edited: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def _checkout() -> _Checkout:
    try:
        # An installed copy may lie inside a checkout of something else, which does not track it.
        _git(PACKAGE, "ls-files", "--error-unmatch", "__init__.py")
        head = _git(PACKAGE, "rev-parse", "HEAD").strip()
        every = ("--untracked-files=all", "--no-renames", "-z", "--", ".")
        prefix = _git(PACKAGE, "rev-parse", "--show-prefix").strip()
        lines = _git(PACKAGE, "status", "--porcelain", *every).split("\0")
    except FileNotFoundError:
        return _Checkout(commit="unknown", why="git is not installed")
    except OSError as error:
        return _Checkout(commit="unknown", why=f"git cannot be run ({error})")
    except subprocess.CalledProcessError as error:
        return _Checkout(commit="unknown", why=_why(str(error.stderr)))
    changed = [line[3:] for line in lines]
    edited = tuple(sorted(path for path in changed if is_code(Path(path.removeprefix(prefix)))))
    return _Checkout(commit=head + ("+" if edited else ""), edited=edited)


def _why(said: str) -> str:
    """What git's refusal means."""
    if "dubious ownership" in said:
        return (
            f"git does not trust {PACKAGE.parent}, which belongs to another user; "
            f"`git config --global --add safe.directory {shlex.quote(str(PACKAGE.parent))}` says "
            "that you do"
        )
    if "not a git repository" in said or "did not match any file" in said:
        return f"{PACKAGE} is no checkout"
    lines = said.strip().splitlines()
    return f"git says: {lines[-1]}" if lines else "git gives none"


def is_code(path: Path) -> bool:
    """Whether a file, named from the package on, is code.

    Hidden files are not: editors, notebooks and file systems leave them, ``._cli.py`` for example.
    """
    return path.suffix in CODE and not any(part.startswith(".") for part in path.parts)


@functools.cache
def code() -> str:
    """SHA-256 over the package's files of code: the same wherever the same code is installed."""
    value = hashlib.sha256()
    for path in sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*")):
        if is_code(path):
            value.update(f"{path.as_posix()}\n".encode() + (PACKAGE / path).read_bytes())
    return value.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part in a run's numbers."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def processor() -> str:
    """The processor's name, as the operating system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def instruction_set() -> str:
    """The instructions that torch uses, such as ``AVX2``; ``AVX512`` gives other bits.

    It is not that of the processor alone: the environment may ask for less.
    """
    import torch  # here: a commit is found without it

    return str(torch.backends.cpu.get_cpu_capability())


def describe(
    data: Mapping[str, str],
    seconds: float,
    engine: str = "loop",
    device: str = "cpu",
    decoded: Mapping[str, str] | None = None,
    stack: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The provenance of a run that has just ended, but for the commit.

    Parameters
    ----------
    data : content digest by edition, of one data set or of two.
    seconds : how long it took.
    engine : what trained it, ``loop`` or ``stacked``.
    device : the accelerator's name, or ``cpu``.
    decoded : digest of the decoded tensors by edition, of those that were decoded from files.
    stack : how a stack was trained: ``runs`` at once, ``adam``, ``graph`` and ``precision``.
    """
    editions = [{"edition": name, "sha256": digest} for name, digest in data.items()]
    return {
        **dict(zip(("data", "second_data"), editions, strict=False)),
        **({"decoded": dict(decoded)} if decoded else {}),
        "engine": engine,
        **({"stack": dict(stack)} if stack else {}),
        "device": device,
        "threads": 1,
        "seconds": round(seconds, 3),
        **here(),
    }


def engine_of(provenance: Mapping[str, Any]) -> str:
    """What trained a recorded run, in words: ``the loop on a processor``, or what else it was."""
    device = str(provenance.get("device", "cpu"))
    place = "a processor" if device == "cpu" else device
    engine = provenance.get("engine", "loop")
    if engine == "loop":
        return f"the loop on {place}"
    precision = (provenance.get("stack") or {}).get("precision", "float32")
    products = "" if precision == "float32" else f" with {str(precision).upper()} products"
    return f"{'stacks' if engine == 'stacked' else engine} on {place}{products}"


def here() -> dict[str, Any]:
    """Versions, machine and time: the provenance of whatever is computed here and now."""
    return {
        "versions": versions(),
        "processor": processor(),
        "instruction_set": instruction_set(),
        "system": f"{platform.system()} {platform.machine()}",
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # a checkout on the path; never a reason to lose a trained run


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "LC_ALL": "C"},  # its refusals are read
    )
    return done.stdout
