"""The processors that a process may use: affinity, and the quotas of control groups."""

import os

import pytest

from spatialnb.execution.cores import cores

V2 = "31 23 0:28 {root} {top} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 {root} {top} rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
OTHERS = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def process(folder, mount, group, quotas, root="/", name="top"):
    """What Linux says of a process in a control group: each folder's quota in processors."""
    top = folder / name
    for place, quota in quotas.items():
        where = top / place
        where.mkdir(parents=True, exist_ok=True)
        if mount == V2:
            text = "max" if quota is None else str(int(quota * 50_000))
            (where / "cpu.max").write_text(f"{text} 50000\n")
        else:
            text = "-1" if quota is None else str(int(quota * 50_000))
            (where / "cpu.cfs_quota_us").write_text(f"{text}\n")
            (where / "cpu.cfs_period_us").write_text("50000\n")
    escaped = str(top).replace(" ", "\\040")
    (folder / "mountinfo").write_text(OTHERS + mount.format(root=root, top=escaped))
    line = f"0::{group}" if mount == V2 else f"3:cpuset:/elsewhere\n2:cpu,cpuacct:{group}"
    (folder / "cgroup").write_text(f"{line}\n")
    return folder


@pytest.mark.parametrize("mount", [V1, V2], ids=["version 1", "version 2"])
@pytest.mark.parametrize(
    ("group", "quotas", "expected"),
    [
        ("/", {".": 0.5}, 1),
        ("/", {".": None}, 8),
        ("/", {".": 2.5}, 3),
        ("/", {".": 64.0}, 8),
        ("/a/b", {"a": 3.0, "a/b": None}, 3),  # of a group around it
        ("/a/b", {"a": 3.0, "a/b": 1.0}, 1),
        ("/a/b", {"a": 3.0, "c": 1.0}, 3),
        ("/../outside", {".": 2.0}, 2),
    ],
)
def test_the_least_quota_of_a_group_and_those_around_it_counts(
    mount, group, quotas, expected, tmp_path
):
    assert cores(process(tmp_path, mount, group, quotas)) == expected


@pytest.mark.parametrize("mount", [V1, V2], ids=["version 1", "version 2"])
def test_a_container_that_sees_its_group_from_outside_has_its_quota(mount, tmp_path):
    inside = process(tmp_path, mount, "/docker/abc", {".": 2.0}, root="/docker/abc", name="a b")
    assert cores(inside) == 2


@pytest.mark.parametrize("text", ["", "max\n", "x y\n", "5 0\n", "-1 100000\n"])
def test_a_quota_that_cannot_be_read_is_none(text, tmp_path):
    inside = process(tmp_path, V2, "/", {".": 1.0})
    (tmp_path / "top" / "cpu.max").write_text(text)
    assert cores(inside) == 8


def test_without_control_groups_affinity_counts(tmp_path, monkeypatch):
    assert cores(tmp_path / "nothing") == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores(tmp_path / "nothing") == 1
