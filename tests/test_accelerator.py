"""The benchmark of an accelerator, rehearsed on the processor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import accelerator


def test_a_rehearsal_goes_through_all_of_it_and_leaves_a_file(tmp_path: Path) -> None:
    out = tmp_path / "speed" / "accelerator.json"
    accelerator.main(["--rehearse", "--device", "cpu", "--out", str(out), "--budget", "300"])
    found = json.loads(out.read_text("utf-8"))
    assert list(found) == [
        "made_on",
        "loop",
        "checked",
        "device_rates",
        "stacks",
        "the_log",
        "seconds_left",
    ]
    assert all(row["near"] for row in found["checked"].values())
    assert {row["runs"] for row in found["stacks"]} == {1, 3}
    assert all(row["runs_a_minute"] > 0.0 for row in found["stacks"])
    assert found["the_log"]["trained"] == found["the_log"]["stackable"] == 6
    assert not found["the_log"]["extrapolated"]


def test_what_has_been_measured_is_kept_when_time_is_up(tmp_path: Path) -> None:
    out = tmp_path / "accelerator.json"
    accelerator.main(["--rehearse", "--device", "cpu", "--out", str(out), "--budget", "0"])
    found = json.loads(out.read_text("utf-8"))
    assert "device_rates" in found
    assert not {"stacks", "the_log"} & found.keys()


@pytest.mark.skipif(accelerator.missing("cuda", True) == [], reason="there is a CUDA device")
def test_without_a_device_it_says_so_at_once(
    tmp_path: Path,
) -> None:
    with pytest.raises(SystemExit, match="missing a CUDA device"):
        accelerator.main(["--rehearse", "--out", str(tmp_path / "a.json")])


def test_a_stack_is_as_large_as_asked_and_holds_no_run_twice() -> None:
    one = accelerator.base(rehearse=True)
    for size in (1, 10, 30):
        runs = accelerator.stack(one, size)
        assert len({run.id for run in runs}) == len(runs) == size


def test_work_is_that_of_the_matrix_products() -> None:
    one = accelerator.base(rehearse=False)
    operations, moved = accelerator.work_of(one, 2, 50_000)
    sizes = 3072 * 256 + 256 * 128 + 128 * 10
    assert operations == 2 * 2.0 * 50_000 * (3 * sizes - 3072 * 256)
    assert moved == 2 * 40.0 * sizes * 50_000 / 128
