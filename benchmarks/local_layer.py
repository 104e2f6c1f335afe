"""Measure time and memory of a local first layer in several forms, per pass and training step.

    python benchmarks/local_layer.py [--device cuda] [--rounds 15] [--json FILE]

The first layer has 3072 inputs, and each unit keeps its nearest pixels on the pixel grid: 256 units
with 94.2 % zeros, and 1,024 with 98 %. ``dense`` multiplies all weights; ``masked`` does so too,
after multiplying them by the mask (``attach_local``); ``csr`` uses the compressed rows of
``torch.sparse``, for the forward pass only; ``compact`` gathers inputs for small dense products
(``spatialnb.priors.local_layers``). Every round times each form in turn, and ratios to dense are
taken within a round; medians over rounds are printed. Without ``--device``, it uses the CPU, with
one thread, and then a GPU if there is one. Memory is what a form stores (weights, masks, indices
and biases; for a step, also Adam's averages), and the peak of temporary memory, such as gathered
inputs and gradients.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spatialnb.priors.geometry import plane
from spatialnb.priors.local_layers import attach_local, compact
from spatialnb.records import provenance

SHAPE = (3, 32, 32)
LAYERS = ((256, 0.058), (1024, 0.02))
"""Number of units, and fraction of inputs that each keeps."""
BATCHES = (1, 32, 1024)
SECONDS = 0.05
"""Approximate duration of one timing, in seconds."""


class Rows:
    """The layer with ``torch.sparse``'s compressed rows and 32-bit indices."""

    def __init__(self, rows: Tensor, bias: Tensor) -> None:
        self.sparse = rows.crow_indices().int(), rows.col_indices().int(), rows.values()
        self.bias = bias
        self._rows = torch.sparse_csr_tensor(*self.sparse, rows.shape, check_invariants=True)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias[:, None], self._rows, x.T).T


def forms(units: int, keep: float, shape: tuple[int, int, int], device: str) -> dict[str, Any]:
    """The same layer in all forms, each a module or a function of the inputs."""
    torch.manual_seed(0)
    inputs = shape[0] * shape[1] * shape[2]
    between = plane(shape, units)[:1]
    masked = attach_local(nn.Linear(inputs, units), keep, distances=between, channels=shape[0]).to(
        device
    )
    dense = nn.Linear(inputs, units).to(device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning that CSR is a beta feature
        sparse = masked.weight.detach().to_sparse_csr()
    return {
        "dense": dense,
        "masked": masked,
        "csr": Rows(sparse, masked.bias.detach()),
        "compact": compact(copy.deepcopy(masked)).to(device),
    }


def stored(form: Any, work: str) -> int:
    """Bytes that a form stores between passes, or between training steps."""
    if not isinstance(form, nn.Module):
        parts = [*form.sparse, form.bias]
    else:
        parts = list(form.state_dict().values())
        averages = 2 * sum(part.nbytes for part in form.parameters())
    return sum(part.nbytes for part in parts) + (averages if work == "step" else 0)


def working(work: Callable[[], None], device: str) -> int:
    """Peak bytes of temporary memory during the work."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    activity = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[activity], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(sizes), default=0)


def forward(form: Any, x: Tensor) -> Callable[[], None]:
    """A function for one forward pass without gradients."""

    def work() -> None:
        with torch.no_grad():
            form(x)

    return work


def step(form: nn.Module, x: Tensor) -> Callable[[], None]:
    """A function for one training step: forward, backward and Adam."""
    optimizer = torch.optim.Adam(form.parameters(), lr=1e-3)

    def work() -> None:
        form(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()  # at the end, so that no gradients are held between steps

    return work


def seconds(work: Callable[[], None], times: int, device: str) -> float:
    """Mean seconds of the work over `times` repetitions."""
    _wait(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    _wait(device)
    return (time.perf_counter() - started) / times


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(
    units: int, keep: float, batch: int, rounds: int, device: str, shape: tuple[int, int, int]
) -> list[dict[str, Any]]:
    """Measure, and return one row per form and kind of work."""
    made = forms(units, keep, shape, device)
    x = torch.randn(batch, shape[0] * shape[1] * shape[2], device=device)
    works = {("forward", name): forward(form, x) for name, form in made.items()}
    works |= {
        ("step", name): step(form, x) for name, form in made.items() if isinstance(form, nn.Module)
    }
    times, held = {}, {}
    for key, work in works.items():
        work()  # this creates Adam's averages
        held[key] = working(work, device)
        times[key] = max(1, int(SECONDS / max(seconds(work, 1, device), 1e-9)))
    found: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            found[key].append(seconds(work, times[key], device))
    weights = int((made["masked"].weight != 0.0).sum())
    return [
        {
            "units": units,
            "zeros": 1.0 - weights / made["dense"].weight.numel(),
            "batch": batch,
            "work": work,
            "form": name,
            "ms": 1e3 * statistics.median(taken),
            "of_dense": statistics.median(
                one / dense for one, dense in zip(taken, found[work, "dense"], strict=True)
            ),
            "kilobytes": stored(made[name], work) / 1e3,
            "working_kilobytes": held[work, name] / 1e3,
        }
        for (work, name), taken in found.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", help="torch device  [default: cpu, then cuda if available]")
    parser.add_argument("--rounds", type=int, default=15, help="[default: 15]")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes")
    options = parser.parse_args(arguments)
    os.environ.setdefault(
        "KINETO_LOG_LEVEL", "6"
    )  # otherwise the profiler prints a message when it starts
    torch.set_num_threads(1)
    layers, batches, shape = LAYERS, BATCHES, SHAPE
    if options.rehearse:
        layers, batches, shape = ((16, 0.1),), (1, 4), (3, 8, 8)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    rows = [
        {"device": device, **row}
        for device in ([options.device] if options.device else devices)
        for units, keep in layers
        for batch in batches
        for row in measure(units, keep, batch, options.rounds, device, shape)
    ]
    for row in rows:
        print(
            f"{row['device']:4} {row['units']:5} units  batch {row['batch']:4}  "
            f"{row['work']:7} {row['form']:8} "
            f"{row['ms']:9.3f} ms  {row['of_dense']:5.2f} of dense  {row['kilobytes']:9.1f} kB "
            f"+ {row['working_kilobytes']:9.1f} kB"
        )
    if options.json is not None:
        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
        figures = {"made_on": {**provenance.here(), "gpu": gpu}, "rows": rows}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
