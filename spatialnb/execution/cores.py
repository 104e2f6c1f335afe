"""Count the CPU cores that this process may use, from its affinity and cgroup quotas.

Joblib's count (installed with scikit-learn) respects the quota of a container, but not that of a
nested group as created by systemd and batch systems, and takes almost a second to import.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

SELF = Path("/proc/self")
"""Folder in which Linux lists this process's control groups and where their files are mounted."""


def cores(process: Path = SELF) -> int:
    """The minimum of cores, affinity and quota, rounded up; at least one."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [math.ceil(quota) for quota in _quotas(process)]
    return max(1, min([found or 1, *quotas]))


def _quotas(process: Path) -> Iterator[float]:
    """CPU quotas of a process's control groups, in cores; cgroup versions 1 and 2."""
    for folder, top in _groups(process):
        for place in (folder, *folder.parents):
            with contextlib.suppress(OSError, ValueError):
                yield _quota(place)
            if place == top:
                break


def _groups(process: Path) -> Iterator[tuple[Path, Path]]:
    """The folder of each control group that may limit the CPU, and the root of its file system."""
    try:
        groups = (process / "cgroup").read_text("utf-8", "surrogateescape").splitlines()
        mounts = (process / "mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    paths: dict[str, str] = {}  # by controller; cgroup v2 names none
    for line in groups:
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    for line in mounts:
        before, _, after = line.partition(" - ")
        root, top = (_unescaped(text) for text in before.split(" ")[3:5])
        kind, _, options = after.split(" ")[:3]
        controller = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if controller is None or controller not in ("", *options.split(",")):
            continue
        path = paths.get(controller, root)
        # In a container, the group's path may be the host's while its files are at the mount point.
        inside = os.path.relpath(path, root) if Path(path).is_relative_to(root) else "."
        yield Path(os.path.normpath(Path(top, inside))), Path(top)


def _quota(folder: Path) -> float:
    """CPU quota of one control group, in cores; OSError or ValueError if it sets none."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except OSError:
        quota = (folder / "cpu.cfs_quota_us").read_text()
        period = (folder / "cpu.cfs_period_us").read_text()
    if int(quota) <= 0 or int(period) <= 0:  # int() also refuses cgroup v2's "max"
        raise ValueError(f"{folder}: no quota")
    return int(quota) / int(period)


def _unescaped(text: str) -> str:
    r"""A path from mountinfo, which writes a space as ``\040``."""
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), text)
