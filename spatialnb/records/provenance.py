"""Provenance of a record: metadata that by design does not change its numbers."""

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
"""The folder of the whole package. A change of any code in it counts as a change of the code behind
a record."""

PACKAGES = ("spatialnb", "torch", "torchvision", "numpy", "scikit-learn", "pillow", "safetensors")


CODE = (".py", ".pyi")
"""Suffixes of code files; the stubs define where the package's names are imported from."""


@functools.cache
def commit() -> str:
    """The checkout's commit, with ``+`` if code has uncommitted changes; else ``unknown``."""
    return _checkout().commit


def doubt() -> str:
    """Why the code behind a record made now could not be found later; empty if it could."""
    found = _checkout()
    if found.commit == "unknown":
        return f"the commit of the code is not known: {found.why}"
    if found.edited:
        more = f" and {len(found.edited) - 1} more" if len(found.edited) > 1 else ""
        return f"the code has uncommitted changes: {found.edited[0]}{more}"
    return ""


@dataclass(frozen=True, kw_only=True)
class _Checkout:
    """The commit, the code files with uncommitted changes, and why the commit is unknown."""

    commit: str
    edited: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def _checkout() -> _Checkout:
    try:
        # An installed copy may lie inside the checkout of another project, which does not track it.
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
    """Explain git's error message."""
    if "dubious ownership" in said:
        return (
            f"git does not trust {PACKAGE.parent}, which belongs to another user; to trust it, run "
            f"`git config --global --add safe.directory {shlex.quote(str(PACKAGE.parent))}`"
        )
    if "not a git repository" in said or "did not match any file" in said:
        return f"{PACKAGE} is not in a git checkout of this project"
    lines = said.strip().splitlines()
    return f"git says: {lines[-1]}" if lines else "git gives no reason"


def is_code(path: Path) -> bool:
    """Whether a file, given relative to the package, is code.

    Hidden files do not count, since editors, notebooks and file systems create them, for example
    ``._cli.py``.
    """
    return path.suffix in CODE and not any(part.startswith(".") for part in path.parts)


@functools.cache
def code() -> str:
    """SHA-256 over the package's code files, equal wherever the same code is installed."""
    value = hashlib.sha256()
    for path in sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*")):
        if is_code(path):
            value.update(f"{path.as_posix()}\n".encode() + (PACKAGE / path).read_bytes())
    return value.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect a run's numbers."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def processor() -> str:
    """The CPU's name, as reported by the operating system."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def instruction_set() -> str:
    """The instruction set that torch uses, such as ``AVX2``; results differ in their last bits.

    It may be less than the CPU supports, if an environment variable restricts it.
    """
    import torch  # here: finding the commit does not need it

    return str(torch.backends.cpu.get_cpu_capability())


def describe(
    data: Mapping[str, str],
    seconds: float,
    engine: str = "loop",
    device: str = "cpu",
    decoded: Mapping[str, str] | None = None,
    stack: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The provenance of a run that has just finished, without the commit.

    Parameters
    ----------
    data : content digests by edition, for one or two data sets.
    seconds : training time.
    engine : the engine that trained it, ``loop`` or ``stacked``.
    device : the accelerator's name, or ``cpu``.
    decoded : digests of the decoded tensors by edition, for editions decoded from files.
    stack : how the stack was trained: number of ``runs``, ``adam``, ``graph`` and ``precision``.
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
    """The engine and device of a recorded run in words, such as ``the loop on a processor``."""
    device = str(provenance.get("device", "cpu"))
    place = "a processor" if device == "cpu" else device
    engine = provenance.get("engine", "loop")
    if engine == "loop":
        return f"the loop on {place}"
    precision = (provenance.get("stack") or {}).get("precision", "float32")
    products = "" if precision == "float32" else f" with {str(precision).upper()} products"
    return f"{'stacks' if engine == 'stacked' else engine} on {place}{products}"


def here() -> dict[str, Any]:
    """Versions, machine and time: the provenance of anything computed here and now."""
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
        return "not installed"  # e.g. a checkout on the path; no reason to lose a trained run


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "LC_ALL": "C"},  # its error messages are parsed
    )
    return done.stdout
