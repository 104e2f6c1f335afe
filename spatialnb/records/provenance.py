"""Where a record comes from: what by design does not change its numbers, kept beside them."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the whole package: an edit anywhere in it is an edit of the code behind a
number."""

PACKAGES = ("spatialnb", "torch", "torchvision", "numpy", "scikit-learn", "pillow", "safetensors")


@functools.cache
def commit() -> str:
    """The checkout's commit, ``+`` added where the package was edited; ``unknown`` outside one."""
    try:
        # An installed copy may lie inside a checkout of something else, which does not track it.
        _git(PACKAGE, "ls-files", "--error-unmatch", "__init__.py")
        head = _git(PACKAGE, "rev-parse", "HEAD")
        edited = _git(PACKAGE, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if edited else "")


@functools.cache
def code() -> str:
    """SHA-256 over the package's source files: the same wherever the same code is installed."""
    value = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        value.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode() + path.read_bytes())
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


def describe(
    data: Mapping[str, str], seconds: float, engine: str = "loop", device: str = "cpu"
) -> dict[str, Any]:
    """The provenance of a run that has just ended, but for the commit.

    Parameters
    ----------
    data : content digest by edition, of one data set or of two.
    seconds : how long it took.
    engine : what trained it, ``loop`` or ``stacked``.
    device : the accelerator's name, or ``cpu``.
    """
    editions = [{"edition": name, "sha256": digest} for name, digest in data.items()]
    return {
        **dict(zip(("data", "second_data"), editions, strict=False)),
        "engine": engine,
        "device": device,
        "threads": 1,
        "seconds": round(seconds, 3),
        **here(),
    }


def here() -> dict[str, Any]:
    """Versions, machine and time: the provenance of whatever is computed here and now."""
    return {
        "versions": versions(),
        "processor": processor(),
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
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
