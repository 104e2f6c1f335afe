"""Where a record comes from: what does not change a run's numbers by design, and is kept beside it."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("spatialnb", "torch", "torchvision", "numpy", "scikit-learn", "pillow", "safetensors")


@functools.cache
def commit() -> str:
    """The checkout's commit, with ``+`` where the package was edited since; ``unknown`` outside one."""
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        edited = _git(folder, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if edited else "")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part in a run's numbers."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def processor() -> str:
    """The processor's name, as the operating system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe(dataset: str, sha256: str, seconds: float) -> dict[str, Any]:
    """The provenance of a run that has just ended, but for the commit."""
    return {
        "data": {"edition": dataset, "sha256": sha256},
        "engine": "loop",
        "device": "cpu",
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


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
