"""The measurement of an accelerator, rehearsed on the processor."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import test_extras

from benchmarks import accelerator
from benchmarks.on_device import checks, kinds, needs, the_log
from benchmarks.on_device.figures import Figures
from spatialnb.training.stack import sharing

ROOT = Path(__file__).parents[1]
PARTS = [
    "made on",
    "data",
    "loop",
    "rates",
    "check of a stack",
    "check of cap",
    "check of soft_cap",
    "check of cap_scaled_gradient",
    "check of normalise",
    "check of decay",
    "check of convolutional",
    "check of transformer",
    "check of leaky ReLU",
    "check of smoothed labels",
    "check of a stack, an epoch",
    "checks",
    "stacks",
    "the log",
    "check of fused",
    "checks of other ways",
    "other ways",
    "profile",
]


def test_a_rehearsal_goes_through_all_of_it_with_the_core_alone(tmp_path: Path) -> None:
    out = tmp_path / "speed" / "accelerator.json"
    ended = test_extras.alone(
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')",
        *("--rehearse", "--device", "cpu", "--out", str(out)),
        cwd=ROOT,
        script=str(ROOT / "benchmarks" / "accelerator.py"),
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(out.read_text("utf-8"))
    assert list(found["seconds"]) == PARTS
    assert "failed" not in found
    assert "left_out" not in found
    assert all(row["near"] for row in found["checked"])
    assert max(_losses(found["checked"])) < 1e-6  # on one processor they are nearer than asked
    sizes = [(row["kind"], row["runs"]) for row in found["stacks"]]
    assert sizes == [
        ("arms and seeds", 3),
        ("arms and seeds", 1),
        ("a search", 3),
        ("a search, fused", 3),
        ("arms and seeds, fused", 3),
        ("arms and seeds, fused", 1),
    ]
    assert all(row["runs_a_minute"] > 0.0 for row in found["stacks"])
    assert found["the_log"]["trained"] == found["the_log"]["stackable"] == 6
    assert not found["the_log"]["extrapolated"]
    assert found["loop"]["epochs_a_minute"] > 0.0
    assert len(found["profile"]) > 5


def _losses(checked: list[dict[str, Any]]) -> list[float]:
    return [
        value
        for row in checked
        for differences in row["differences"].values()
        for value in differences.values()
    ]


def test_what_is_missing_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "benchmarks/accelerator.py", "--out", "a.json"],
        env={"PATH": "", "SPATIALNB_DATA": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "accelerator: missing" in ended.stderr
    assert f"cifar10-jpeg in {tmp_path}: CIFAR-10-images-master" in ended.stderr
    assert "| torch\n" not in ended.stderr
    assert time.monotonic() - started < 20.0
    assert not (ROOT / "a.json").exists()


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "PACKAGES", {"not_there": "not-there", "numpy": "numpy"})
    assert needs.missing("cpu", True) == ["packages: not-there"]
    assert needs.without_device("nowhere").startswith("the device nowhere (")


def test_what_has_been_measured_is_kept_when_time_is_up(tmp_path: Path) -> None:
    out = tmp_path / "accelerator.json"
    with pytest.raises(SystemExit, match="results differ from the "):
        accelerator.main(["--rehearse", "--device", "cpu", "--out", str(out), "--budget", "0"])
    found = json.loads(out.read_text("utf-8"))
    assert found["made_on"]["rehearsal"]
    assert len(found["left_out"]) == 8
    assert found["left_out"][0].startswith("loop: ")


def test_a_part_that_fails_is_kept_and_the_next_goes_on(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "a.json", 100.0, time.monotonic())

    def fail() -> None:
        raise RuntimeError("out of memory")

    figures.part("first", 0.0, fail)
    figures.part("second", 0.0, lambda: figures.keep("two", 2))
    figures.part("third", 1e6, fail)
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    (failed,) = found["failed"]
    assert failed["part"] == "first"
    assert failed["error"].startswith("RuntimeError: out of memory (test_accelerator.py:")
    assert found["two"] == 2
    assert list(found["seconds"]) == ["first", "second"]
    assert found["left_out"][0].startswith("third: ")


def test_a_stack_is_as_large_as_asked_and_holds_no_run_twice() -> None:
    one = kinds.base(made_images=True)
    for size in (1, 10, 30):
        for runs in (kinds.stack(one, size), kinds.search(one, size)):
            assert len({run.id for run in runs}) == len(runs) == size
            assert len(sharing.stacks(runs, size)) == 1
    assert sharing.by_seed(kinds.stack(one, 30)).seeds == 3
    assert len({run.learning_rate for run in kinds.search(one, 30)}) == 15


def test_every_kind_that_is_checked_can_be_stacked() -> None:
    one = kinds.base(made_images=True)
    assert len(sharing.stacks(kinds.kinds(one).values(), 100)) == 1
    assert all(map(sharing.is_plain, kinds.kinds(one).values()))
    others = list(kinds.others(one).values())
    assert not any(map(sharing.is_plain, others))
    assert [len(group) for group in sharing.stacks(others, 2)] == [2] * (len(others) // 2)


def test_a_difference_that_is_too_large_or_no_number_is_not_near() -> None:
    loops = {"test_loss": [2.0, 1.0], "test_accuracy": [0.5, 0.6]}
    ours = {"test_loss": [2.0, 1.01], "test_accuracy": [0.5, 0.58]}
    found = checks.worst(ours, loops)
    assert found == pytest.approx({"test_loss": 0.01, "test_accuracy": 0.02})
    assert checks.is_near(found, 0.02, 0.03)
    assert not checks.is_near(found, 0.02, 0.01)
    assert not checks.is_near({"test_loss": float("nan")}, 0.02, 0.01)


def test_the_log_has_its_arms_and_their_records_are_set_beside() -> None:
    arms = the_log.runs_of_the_log()
    runs = {run.id: run for group in arms.values() for run in group}
    assert len(runs) == 740
    assert the_log._why_not(runs.values()) == {"second": 60}
    few = {"v05/none": arms["v05/none"]}
    outcome = {"status": "finished", "epochs": {"test_accuracy": [0.5]}}
    found = the_log.beside(few, {run.id: outcome for run in few["v05/none"]})
    row = found["by_arm"]["v05/none"]
    assert row["n"] == 20
    assert row["ours"] == 50.0
    assert row["difference"] == pytest.approx(50.0 - row["published"], abs=1e-3)
