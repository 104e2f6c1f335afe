"""What an accelerator gives: runs a minute for stacks of every size, and what bounds them.

    python benchmarks/accelerator.py --out FILE [--device cuda] [--budget 420] [--rehearse]

Checked first: a dozen runs of different kinds, as stacks on the device, against the loop on the
processor. Then measured, until the budget of seconds is used up: the device's own rates of copying
and of matrix products; stacks of 1 to 1,000 runs, with each step launched by the processor and
recorded as a graph, in float32 and with TF32 products; the loop on all cores of the processor; and
every single-task arm of v1 to v11 with twenty seeds, in part where the time does not suffice, which
the file then says. After each of these the file is written, so a run that is cut off leaves what it
has.

It needs the package's core alone: Python 3.11 or newer, torch, numpy, pillow, safetensors,
filelock, lazy_loader, platformdirs and tqdm, and the archive of CIFAR-10 (JPEG edition) where
SPATIALNB_DATA says. ``--rehearse`` goes through all of it on made images and tiny sizes, on any
device.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

NEEDED = ("torch", "numpy", "PIL", "safetensors", "filelock", "lazy_loader", "platformdirs", "tqdm")
SIZES = (1, 10, 100, 300, 1000)
EPOCHS = 2
"""Of a stack that is timed: the first holds what is done once, so the second is taken."""
LOSS, ACCURACY = 0.02, 0.03
"""How far a checked run's losses (relative) and accuracies may lie from the loop's after an epoch:
products are summed in another order, and with TF32 to 10 bits, and training amplifies it."""


def missing(device: str, rehearse: bool) -> list[str]:
    """What is not there, in words; empty where all is."""
    found = [f"the package {name}" for name in NEEDED if not importlib.util.find_spec(name)]
    if found:
        return found
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        found.append("a CUDA device that torch can use")
    if not rehearse:
        from spatialnb import datasets

        try:
            datasets.load("cifar10-jpeg")
        except OSError as error:
            found.append(f"CIFAR-10 ({error})")
    return found


class Report:
    """The figures, written to a file after every addition."""

    def __init__(self, path: Path, budget: float) -> None:
        self._path, self._ends = path, time.monotonic() + budget
        self.figures: dict[str, Any] = {}

    @property
    def left(self) -> float:
        """Seconds until the budget is used up."""
        return self._ends - time.monotonic()

    def add(self, name: str, value: Any) -> None:
        """Keep a figure, and write all of them."""
        self.figures[name] = value
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self.figures, indent=1) + "\n", encoding="utf-8")
        part.replace(self._path)
        print(f"{name}: {json.dumps(value)[:300]}   ({self.left:.0f} s left)", flush=True)


# ── What is trained ─────────────────────────────────────────────────────────────────────────────


def base(rehearse: bool) -> Any:
    """The reference run, or a tiny one."""
    from spatialnb.config.run import Run

    tiny = Run(dataset="quick-colours", hidden=(12, 8), batch_size=37)
    return tiny if rehearse else Run()


def kinds(one: Any) -> dict[str, Any]:
    """Runs of every kind that a stack can hold."""
    from spatialnb.priors.kernels import Averaged, Exponential, Linear, Shuffled, Uniform
    from spatialnb.priors.schedules import Anneal, Sharpen, Static

    sharpen = Sharpen(k_start=3, k_end=50)
    adamw = replace(one, optimizer="adamw", weight_decay=0.1, learning_rate_decay="linear")
    return {
        "none": one,
        "another seed": replace(one, seed=7),
        "exponential": replace(one, schedule=Static(kernel=Exponential())),
        "linear": replace(one, schedule=Static(kernel=Linear())),
        "shuffled": replace(one, schedule=Static(kernel=Shuffled(kernel=Exponential()))),
        "sharpening": replace(one, schedule=sharpen),
        "scalar": replace(
            one, schedule=Sharpen(k_start=3, k_end=50, kernel=Averaged(kernel=Exponential()))
        ),
        "annealed": replace(one, schedule=Anneal(start=Exponential(), end=Uniform())),
        "linear decay": replace(one, learning_rate_decay="linear"),
        "AdamW": adamw,
        "plane": replace(one, schedule=sharpen, positions="plane"),
        "held out": replace(adamw, positions="plane", permuted_pixels=3, learning_rate=0.001),
    }


def stack(one: Any, runs: int) -> list[Any]:
    """That many runs of as many arms a seed as there are kinds, or of one arm."""
    arms = list(kinds(replace(one, seed=0)).values())
    arms = [arm for arm in arms if arm.seed == 0]
    seeds = -(-runs // len(arms))
    return [replace(arm, seed=seed) for seed in range(seeds) for arm in arms][:runs]


# ── Checked ─────────────────────────────────────────────────────────────────────────────────────


def check(one: Any, data: Any, device: str) -> dict[str, Any]:
    """The largest difference to the loop after an epoch, by kind, with a graph and without."""
    from spatialnb.training import batched, loop

    runs = {name: replace(run, epochs=1) for name, run in kinds(one).items()}
    theirs = {name: loop.train(run, data).outcome["epochs"] for name, run in runs.items()}
    found: dict[str, Any] = {}
    for graph in (False, True) if device.startswith("cuda") else (False,):
        ours = batched.train(list(runs.values()), data, device=device, graph=graph)
        for (name, loops), outcome in zip(theirs.items(), ours, strict=True):
            values = outcome["epochs"]
            worst = {
                key: abs(values[key][0] - loops[key][0])
                / (1.0 if key.endswith("accuracy") else loops[key][0])
                for key in loops
            }
            near = all(
                value <= (ACCURACY if key.endswith("accuracy") else LOSS)
                for key, value in worst.items()
            )
            found[f"{name}{', graph' if graph else ''}"] = {**worst, "near": near}
    return found


# ── Measured ────────────────────────────────────────────────────────────────────────────────────


def synchronised(device: str) -> None:
    """Wait until the device has done all that it was asked for."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], device: str, times: int) -> float:
    """Median time of a piece of work, after a first one that is not counted."""
    found = []
    for _ in range(times + 1):
        synchronised(device)
        started = time.perf_counter()
        work()
        synchronised(device)
        found.append(time.perf_counter() - started)
    return statistics.median(found[1:])


def rates(device: str, rehearse: bool) -> dict[str, float]:
    """What the device can do: bytes a second of a copy, operations a second of products."""
    import torch

    size, side = (2**20, 128) if rehearse else (2**28, 8192)
    source = torch.rand(size, device=device)
    target = torch.empty_like(source)
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    found = {"copy_bytes": 8.0 * size / seconds(lambda: target.copy_(source), device, 5)}
    for name, precision in (("float32", "highest"), ("tf32", "high")):
        torch.set_float32_matmul_precision(precision)
        found[f"{name}_flops"] = 2.0 * side**3 / seconds(lambda: a @ b, device, 5)
    torch.set_float32_matmul_precision("highest")
    return found


def work_of(one: Any, runs: int, images: int) -> tuple[float, float]:
    """Operations and bytes that an epoch of a stack cannot do without.

    Operations: of the matrix products, forward and backward. Bytes: of every step, the weights read
    for both passes, the gradients written and read, and Adam's weights and two averages read and
    written.
    """
    widths = [3072 if one.dataset.startswith("cifar") else 3 * 16 * 16, *one.hidden, 10]
    sizes = [into * out for into, out in itertools.pairwise(widths)]
    operations = 2.0 * images * (3 * sum(sizes) - sizes[0])
    moved = 4.0 * (2 + 2 + 6) * sum(sizes) * (images / one.batch_size)
    return runs * operations, runs * moved


def timed(one: Any, data: Any, runs: int, device: str, **options: Any) -> dict[str, float]:
    """Seconds of a stack's second epoch, and runs of twelve epochs a minute."""
    from spatialnb.training import batched

    ticks: list[float] = []
    chosen = [replace(run, epochs=EPOCHS) for run in stack(one, runs)]
    started = time.perf_counter()
    batched.train(chosen, data, lambda epoch: ticks.append(time.perf_counter()), device, **options)
    epoch = ticks[-1] - ticks[-2]
    return {
        "runs": runs,
        "epoch_s": epoch,
        "whole_s": time.perf_counter() - started,
        "runs_a_minute": 60.0 * runs / (12 * epoch),
    }


def stacks(report: Report, one: Any, data: Any, device: str, sizes: Sequence[int]) -> None:
    """Stacks of every size, by precision and by how steps are launched; stops in time."""
    import torch

    images = len(data.train.y)
    bound = report.figures["device_rates"]
    rows: list[dict[str, Any]] = []
    cuda = device.startswith("cuda")
    took = 0.0
    for runs in sizes:
        for precision, graph in itertools.product(("highest", "high"), (True, False)):
            if (graph and not cuda) or report.left < 60.0 + 1.5 * took:
                continue
            torch.set_float32_matmul_precision(precision)
            name = {"runs": runs, "tf32": precision == "high", "graph": graph}
            try:
                row = timed(one, data, runs, device, **({"graph": True} if graph else {}))
            except RuntimeError as error:  # out of memory, or an operation no graph can hold
                rows.append({**name, "failed": str(error).splitlines()[0]})
                continue
            took = row["whole_s"]
            operations, moved = work_of(one, runs, images)
            products = bound["tf32_flops" if precision == "high" else "float32_flops"]
            row |= {
                "of_products": operations / products / row["epoch_s"],
                "of_bandwidth": moved / bound["copy_bytes"] / row["epoch_s"],
            }
            if cuda:
                row["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.empty_cache()
            rows.append({**name, **row})
            report.add("stacks", rows)
    torch.set_float32_matmul_precision("highest")


_shared: list[Any] = []
"""The data, for processes that are forked: 150 MB are not sent to each."""


def _loop_epoch(run: Any) -> float:
    from spatialnb.training import loop

    started = time.perf_counter()
    loop.train(replace(run, epochs=1), _shared[0])
    return time.perf_counter() - started


def loop_on_all_cores(one: Any, data: Any) -> dict[str, float]:
    """The loop of the package, one thread a run and one run a core.

    Called before anything else: a process is forked safely while it has no threads of its own.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = cores or 1
    _shared[:] = [data]
    runs = [replace(one, seed=seed) for seed in range(count)]
    with multiprocessing.get_context("fork").Pool(count) as pool:
        took = pool.map(_loop_epoch, runs, chunksize=1)
    return {"cores": count, "epoch_s": max(took), "runs_a_minute": 60.0 * count / (12 * max(took))}


def the_log(report: Report, data: Any, device: str, rehearse: bool, most: int) -> None:
    """All arms of v1 to v11 on CIFAR-10 that a stack can hold, twenty seeds each."""
    from spatialnb.studies import part
    from spatialnb.training import batched

    every = {
        run.id: run
        for study in part("I")
        for arm in study.arms.values()
        for run in (replace(arm, seed=seed) for seed in range(20))
    }
    known = [run for run in every.values() if batched.stackable(run) and run.dataset == data.name]
    if rehearse:
        known = [replace(run, epochs=2) for run in stack(base(True), 6)]
    groups = batched.stacks(known, most)
    done = epochs = 0
    took = 0.0
    for group in groups:
        if report.left < 30.0 + 1.3 * took / max(done, 1) * len(group):
            break
        started = time.perf_counter()
        batched.train(group, data, device=device, **_best_options(report))
        synchronised(device)
        took += time.perf_counter() - started
        done += len(group)
        epochs += sum(run.epochs for run in group)
        report.add(
            "the_log",
            {
                "runs_of_the_log": len(every),
                "stackable": len(known),
                "trained": done,
                "epochs": epochs,
                "seconds": took,
                "seconds_for_all_stackable": took / done * len(known),
                "extrapolated": done < len(known),
                "stack": most,
            },
        )


def _best_options(report: Report) -> dict[str, Any]:
    """How steps were launched in the fastest stack in float32."""
    best = _best(report)
    return {"graph": True} if best is not None and best["graph"] else {}


def _best(report: Report) -> dict[str, Any] | None:
    """The fastest stack in float32; None where none was measured."""
    rows = [row for row in report.figures.get("stacks", []) if "epoch_s" in row]
    return max(
        (row for row in rows if not row["tf32"]), key=lambda row: row["runs_a_minute"], default=None
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--device", default="cuda", help="as torch calls it  [default: cuda]")
    parser.add_argument(
        "--budget", type=float, default=420.0, help="seconds to use at most  [default: 420]"
    )
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        help="runs of the stacks that are timed  [default: %(default)s]",
    )
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, made images")
    options = parser.parse_args(arguments)

    found = missing(options.device, options.rehearse)
    if found:
        sys.exit("accelerator: missing " + "; ".join(found))

    import torch

    from spatialnb import datasets
    from spatialnb.records import provenance

    torch.set_num_threads(1)  # on the processor as the package trains; the device has its own
    report = Report(options.out, options.budget)
    one = base(options.rehearse)
    data = datasets.load(one.dataset)
    cuda = options.device.startswith("cuda")
    report.add(
        "made_on",
        {
            "device": torch.cuda.get_device_name(options.device) if cuda else "cpu",
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": sys.version.split()[0],
            "cores": os.cpu_count(),
            **{key: provenance.here()[key] for key in ("versions", "processor", "finished")},
            "rehearsal": options.rehearse,
        },
    )
    report.add("loop", loop_on_all_cores(one, data))
    checked = check(one, data, options.device)
    report.add("checked", checked)
    report.add("device_rates", rates(options.device, options.rehearse))
    sizes = (1, 3) if options.rehearse else tuple(map(int, options.sizes.split(",")))
    stacks(report, one, data, options.device, sizes)
    best = _best(report)
    the_log(report, data, options.device, options.rehearse, 100 if best is None else best["runs"])
    report.add("seconds_left", round(report.left, 1))
    if not all(row["near"] for row in checked.values()):
        sys.exit("accelerator: a stack came out otherwise than the loop; see `checked` in the file")


if __name__ == "__main__":
    main()
