"""Measure how time and memory grow with the number of runs, and what limits a cluster.

    python benchmarks/growth.py [--largest 10000] [--json FILE]

Records are made up, and nothing is trained except for the last measurement. For 10, 100, ...
records, a separate process each runs `spatialnb status`; looks up all records (`complete`, which
reads and checks each); and schedules as many missing runs, whose records return immediately and are
written. Time is CPU time (user and system) minus that of the same process without records; memory
is the peak. Last, a worker's peak memory is measured after one run, after ten, and after one with
ten times the epochs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LARGEST = 10_000
NODES, CORES, RUNS = 100, 64, 100_000
"""Nodes, cores per node, and runs in the estimate for a cluster."""


def configs(count: int) -> list[Any]:
    """Small runs on a quick edition."""
    from spatialnb.config.run import Run

    return [
        Run(dataset="quick-colours", hidden=(8,), train_size=64, epochs=1, seed=seed)
        for seed in range(count)
    ]


def made(config: dict[str, Any]) -> Any:
    """A made-up record of a run with twelve epochs."""
    from spatialnb.records.store import Record

    curve = [1.0 / (3 + epoch + config["seed"]) for epoch in range(12)]
    epochs = dict.fromkeys(("train_loss", "test_loss", "test_accuracy"), curve)
    return Record(
        kind="run",
        config=config,
        outcome={"status": "finished", "epochs": epochs, "final": {"sparsity": {"overall": 0.0}}},
        provenance={"seconds": 1.0, "versions": {"torch": "made up"}, "engine": "none"},
    )


class Made(Executor):
    """Executor that trains nothing and returns made-up records."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
        """Return a made-up record immediately."""
        from spatialnb.execution.trainer import (
            Trained,
        )  # here, so that `status` is timed without this import

        future: Future[Any] = Future()
        future.set_result(Trained(made(arguments[0])))
        return future


# Work of the separate processes. With `count` 0, they only import and create configurations.


def status(folder: Path, count: int) -> None:
    from spatialnb.commands.cli import main

    with contextlib.redirect_stdout(io.StringIO()):
        main(["status", "--store", str(folder)], standalone_mode=False)


def look_up(folder: Path, count: int) -> None:
    from spatialnb.execution import runs
    from spatialnb.records.store import Store

    runs.complete(configs(count), store=Store(folder), train=False, progress=False)


def schedule(folder: Path, count: int) -> None:
    from spatialnb.execution import runs
    from spatialnb.execution.executor import ExecutorBackend
    from spatialnb.records.store import Store

    with tempfile.TemporaryDirectory(dir=folder) as empty:
        made = ExecutorBackend(Made())
        runs.complete(configs(count), store=Store(empty), backend=made, progress=False)


def train(folder: Path, count: int) -> None:
    """Train `count` runs; if negative, one run with `-count` times the epochs."""
    from dataclasses import replace

    from spatialnb.execution import trainer

    (run,) = configs(1)
    several = (
        [replace(run, seed=seed, epochs=20) for seed in range(count)]
        if count > 0
        else [replace(run, epochs=-20 * count)]
    )
    for one in several:
        trainer.train_one(one)


CHILDREN = {"status": status, "look_up": look_up, "schedule": schedule, "train": train}


def measured(name: str, folder: Path, count: int) -> tuple[float, float]:
    """CPU seconds and peak megabytes of the work in a separate process."""
    command = [sys.executable, __file__, "--child", name, str(folder), str(count)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=variables)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6


def growth(sizes: Sequence[int]) -> list[dict[str, float]]:
    """One row per size: CPU seconds, minus those without records, and peak megabytes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        nothing = {  # minimum of three, because the first one warms up
            name: min(measured(name, store, 0)[0] for _ in range(3))
            for name in ("look_up", "schedule")
        }
        for size in sizes:
            fill(store, size)
            row: dict[str, float] = {"records": size}
            for name in ("status", "look_up", "schedule"):
                seconds, row[f"{name}_mb"] = measured(name, store, size)
                row[f"{name}_s"] = seconds - nothing.get(name, 0.0)
            rows.append(row)
    return rows


def fill(folder: Path, count: int) -> None:
    """Write made-up records, without syncing each, since this is not measured."""
    (folder / "runs").mkdir(exist_ok=True)
    for config in configs(count):
        record = made(config.to_dict())
        (folder / "runs" / f"{record.id}.json").write_text(record.to_json(), encoding="utf-8")


def recorded_seconds() -> float:
    """Median training time of published CIFAR-10 runs, for twelve epochs on one core."""
    import statistics

    from spatialnb.records.store import published_folder

    found = []
    for path in sorted((published_folder() / "runs").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        if (record["config"]["dataset"], record["config"]["epochs"]) == ("cifar10-jpeg", 12):
            found.append(record["provenance"]["seconds"])
    return statistics.median(found)


def estimate(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Extrapolate the slope between the two largest sizes to a large grid on a cluster."""
    before, last = rows[-2:]
    more = last["records"] - before["records"]

    def slope(name: str) -> float:
        return (last[name] - before[name]) / more

    workers, run_s = NODES * CORES, recorded_seconds()
    return {
        "nodes": NODES,
        "workers": workers,
        "runs": RUNS,
        "run_s": run_s,
        "hours": RUNS * run_s / workers / 3600,
        "ended_per_s": workers / run_s,
        "taken_per_s": 1.0 / slope("schedule_s"),  # by CPU time only
        "look_up_s": RUNS * slope("look_up_s"),
        "status_s": last["status_s"] + (RUNS - last["records"]) * slope("status_s"),
        "caller_gb": (last["schedule_mb"] + (RUNS - last["records"]) * slope("schedule_mb")) / 1e3,
    }


def words(found: dict[str, float]) -> str:
    """The estimate as text."""
    load = found["ended_per_s"] / found["taken_per_s"]
    first = (
        "too few. That process is the bottleneck, so split the grid between several, by chapter or "
        "by seeds"
        if load > 1.0
        else f"{100 * load:.0f} % of this rate is needed. It would become the bottleneck with "
        f"{1 / load:.1f} times the workers, or with a disk that syncs more slowly"
    )
    return (
        f"{found['runs']:,} runs of {found['run_s']:.0f} s on {found['nodes']} nodes "
        f"({found['workers']:,} workers) take {found['hours']:.1f} hours. In each second "
        f"{found['ended_per_s']:.0f} runs end, and the process that started them can record "
        f"{found['taken_per_s']:.0f}: {first}. Looking up all runs takes "
        f"{found['look_up_s']:.0f} s, and scheduling them {found['caller_gb']:.1f} GB of memory. "
        f"The command status then takes {found['status_s']:.1f} s."
    )


def main() -> None:
    """Measure, and print the tables and the estimate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--largest",
        type=int,
        default=LARGEST,
        help=f"largest number of records  [default: {LARGEST}]",
    )
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, folder, count = arguments.child
        CHILDREN[name](Path(folder), int(count))
        return
    if arguments.largest < 1000:
        parser.error(f"--largest: expected at least 1000, got {arguments.largest}")
    rows = growth([size for size in (10, 100, 1000, 10_000) if size <= arguments.largest])
    print(f"{'':>8}{'status':>16}{'looking up':>16}{'scheduling':>16}")
    print(f"{'records':>8}" + f"{'s':>8}{'MB':>8}" * 3)
    for row in rows:
        cells = [
            f"{row[f'{name}_s']:8.2f}{row[f'{name}_mb']:8.0f}"
            for name in ("status", "look_up", "schedule")
        ]
        print(f"{row['records']:8,}" + "".join(cells))
    with tempfile.TemporaryDirectory() as folder:
        peaks = {
            name: measured("train", Path(folder), count)[1]
            for name, count in (("one run", 1), ("ten runs", 10), ("ten times the epochs", -10))
        }
    print("a worker's peak, MB: " + ", ".join(f"{name} {mb:.0f}" for name, mb in peaks.items()))
    found = estimate(rows)
    print(words(found))
    if arguments.json:
        figures = {"growth": rows, "worker_mb": peaks, "estimate": found, "says": words(found)}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
