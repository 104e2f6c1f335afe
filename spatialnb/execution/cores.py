"""How many processors this process may use: affinity, and the quotas of control groups.

Joblib's count, which scikit-learn brings, knows the quota of a container and not that of a group
inside one, as systemd and batch systems make them, and takes most of a second to import.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

SELF = Path("/proc/self")
"""Where Linux says in which control groups this process is, and where their files are."""


def cores(process: Path = SELF) -> int:
    """The least of processors, affinity and quota, rounded up; at least one."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [math.ceil(quota) for quota in _quotas(process)]
    return max(1, min([found or 1, *quotas]))


def _quotas(process: Path) -> Iterator[float]:
    """Processors that the control groups of a process allow it, of both versions."""
    for folder, top in _groups(process):
        for place in (folder, *folder.parents):
            with contextlib.suppress(OSError, ValueError):
                yield _quota(place)
            if place == top:
                break


def _groups(process: Path) -> Iterator[tuple[Path, Path]]:
    """The folder of each group that may limit processors, and the top of its file system."""
    try:
        groups = (process / "cgroup").read_text("utf-8", "surrogateescape").splitlines()
        mounts = (process / "mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    paths: dict[str, str] = {}  # by controller, of which the second version names none
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
        # A container may see its group from outside, and its files at the top.
        inside = os.path.relpath(path, root) if Path(path).is_relative_to(root) else "."
        yield Path(os.path.normpath(Path(top, inside))), Path(top)


def _quota(folder: Path) -> float:
    """Processors that one group allows. OSError or ValueError where it names no number of them."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except OSError:
        quota = (folder / "cpu.cfs_quota_us").read_text()
        period = (folder / "cpu.cfs_period_us").read_text()
    if int(quota) <= 0 or int(period) <= 0:  # "max", the second version's word, is no number
        raise ValueError(f"{folder}: no quota")
    return int(quota) / int(period)


def _unescaped(text: str) -> str:
    r"""A path of mountinfo, which has a space as ``\040``."""
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), text)
