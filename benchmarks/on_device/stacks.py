"""Time stacks of many sizes, and profile one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.on_device import bounds
from benchmarks.on_device.figures import Figures, told
from benchmarks.on_device.kinds import ARMS

EPOCHS = 3
"""Epochs of a timed stack; the first includes the start, the fastest of the others counts."""
OF_A_RUN = 12
"""Epochs of a run of the log."""


def timed(runs: Sequence[Any], data: Any, options: Any) -> dict[str, Any]:
    """Seconds for a stack's start and for an epoch, and complete runs per minute."""
    from spatialnb.training import batched

    ticks: list[float] = []
    said: list[str] = []
    chosen = [replace(run, epochs=EPOCHS) for run in runs]
    started = time.perf_counter()
    found = batched.train(
        chosen, data, lambda epoch: ticks.append(time.perf_counter()), options, said.append
    )
    whole = time.perf_counter() - started
    epoch = min(after - before for before, after in itertools.pairwise(ticks))
    start = max(0.0, ticks[0] - started - epoch)
    return {
        "runs": len(runs),
        **{name: found[0].made[name] for name in ("adam", "graph", "precision")},
        "start_s": start,
        "epoch_s": epoch,
        "whole_s": whole,
        "runs_a_minute": 60.0 * len(runs) / (start + OF_A_RUN * epoch),
        **({"said": said} if said else {}),
    }


def row(
    figures: Figures,
    runs: Sequence[Any],
    data: Any,
    options: Any,
    name: str,
    keep: float = 0.0,
) -> None:
    """Time a stack if there is time, and add its row, or the reason for leaving it out.

    Parameters
    ----------
    figures : receives the row.
    runs, data, options : the stack, its data set, and how it is trained.
    name : the kind of stack.
    keep : seconds to reserve for later parts.
    """
    import torch

    from spatialnb.training.stack import cost, memory

    cuda = options.device.startswith("cuda")
    longest = _predicted(figures, len(runs))
    if figures.left < longest + keep:
        figures.add("left_out", f"{name}, {len(runs)} runs: about {longest:.0f} s")
        return
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    asked = {"kind": name, "runs": len(runs), "precision": options.precision}
    try:
        found = timed(runs, data, options)
    except RuntimeError as error:  # for example, out of memory
        figures.add("stacks", {**asked, "failed": told(error)})
        return
    device_rates = figures.found["device_rates"]
    operations = len(runs) * cost.operations(runs[0])
    moved = sum(cost.moved(run) for run in runs[:ARMS]) * len(runs) / len(runs[:ARMS])
    shares = {
        "of_bandwidth": moved / device_rates["copy_bytes"] / found["epoch_s"],
        "of_products": operations / device_rates[f"{options.precision}_flops"] / found["epoch_s"],
    }
    if cuda:
        found["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
        found["memory_predicted_gb"] = memory.bytes_per_run(runs[1 % len(runs)]) * len(runs) / 1e9
    figures.add("stacks", {"kind": name, **found, **shares})


def _predicted(figures: Figures, runs: int) -> float:
    """Seconds that a stack may take, from the slowest of the last stacks of similar size."""
    done = [one for one in figures.found.get("stacks", []) if "whole_s" in one]
    per_run = [one["whole_s"] / one["runs"] for one in done if one["runs"] >= runs / 20]
    return 15.0 + 1.3 * runs * max(per_run[-3:], default=0.0)


def profile(runs: Sequence[Any], data: Any, options: Any, rows: int = 16) -> list[dict[str, Any]]:
    """The operations that take the most time on the device."""
    import torch
    from torch.profiler import ProfilerActivity

    from spatialnb.training import batched

    few = [replace(run, epochs=1, train_size=20 * run.batch_size) for run in runs]
    launched = replace(options, graph=False) if options.device.startswith("cuda") else options
    batched.train(few, data, options=launched)
    kinds = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    on_cuda = options.device.startswith("cuda")
    with torch.profiler.profile(activities=kinds[1:] if on_cuda else kinds[:1]) as found:
        batched.train(few, data, options=launched)
        bounds.synchronised(options.device)
    every = [
        (event.self_device_time_total if on_cuda else event.self_cpu_time_total, event)
        for event in found.key_averages()
    ]
    whole = sum(took for took, _ in every) or 1.0
    largest = sorted(every, key=lambda pair: -pair[0])[:rows]
    return [
        {
            "kernel": event.key[:120],
            "calls": event.count,
            "ms": round(took / 1e3, 3),
            "share": round(took / whole, 4),
        }
        for took, event in largest
    ]
