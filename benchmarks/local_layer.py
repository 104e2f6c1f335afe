"""What a local first layer buys: time and memory of a pass and of a training step, by its form.

    python benchmarks/local_layer.py [--device cpu] [--rounds 15] [--json FILE]

A first layer of 3072 inputs whose units keep their nearest pixels on the plane: 256 units with
94.2 % zeros, and 1,024 with 98 %. ``dense`` multiplies every weight; ``masked`` is what trains in
the chapters, a dense weight times its mask; ``csr`` is ``torch.sparse``'s compressed rows, for the
forward pass alone; ``compact`` gathers inputs for small dense products
(``spatialnb.priors.local_layers``). In every round each is timed in turn, and the ratio to dense is
that within the round; medians over rounds are printed. One thread on a processor. Memory is that of
weights, masks, indices and biases.
"""

from __future__ import annotations

import argparse
import copy
import json
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
"""Units, and the share of inputs that each keeps."""
BATCHES = (1, 32, 1024)
SECONDS = 0.05
"""How long one timing lasts, about."""


def forms(units: int, keep: float, shape: tuple[int, int, int], device: str) -> dict[str, Any]:
    """The same layer in every form, each a module or a function of the inputs."""
    torch.manual_seed(0)
    inputs = shape[0] * shape[1] * shape[2]
    between = plane(shape, units)[:1]
    masked = attach_local(nn.Linear(inputs, units), keep, distances=between, channels=shape[0]).to(
        device
    )
    dense = nn.Linear(inputs, units).to(device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that CSR is a beta feature
        sparse = masked.weight.detach().to_sparse_csr()
    bias = masked.bias.detach()
    return {
        "dense": dense,
        "masked": masked,
        "csr": lambda x: torch.addmm(bias[:, None], sparse, x.T).T,
        "compact": compact(copy.deepcopy(masked)).to(device),
    }


def stored(form: Any, csr_values: int = 0) -> int:
    """Bytes of all that a form keeps."""
    if not isinstance(form, nn.Module):
        return csr_values * (4 + 4)
    state: dict[str, Tensor] = form.state_dict()
    return sum(part.numel() * part.element_size() for part in state.values())


def forward(form: Any, x: Tensor) -> Callable[[], None]:
    """One forward pass without gradients."""

    def work() -> None:
        with torch.no_grad():
            form(x)

    return work


def step(form: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward, backward and a step of Adam."""
    optimizer = torch.optim.Adam(form.parameters(), lr=1e-3)

    def work() -> None:
        optimizer.zero_grad()
        form(x).square().mean().backward()
        optimizer.step()

    return work


def seconds(work: Callable[[], None], times: int, device: str) -> float:
    """Mean time of a piece of work."""
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
    """Rows of figures, one a form and kind of work."""
    made = forms(units, keep, shape, device)
    x = torch.randn(batch, shape[0] * shape[1] * shape[2], device=device)
    works = {("forward", name): forward(form, x) for name, form in made.items()}
    works |= {
        ("step", name): step(form, x) for name, form in made.items() if isinstance(form, nn.Module)
    }
    times = {}
    for key, work in works.items():
        work()
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
            "kilobytes": stored(made[name], weights) / 1e3,
        }
        for (work, name), taken in found.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="as torch calls it  [default: cpu]")
    parser.add_argument("--rounds", type=int, default=15, help="[default: 15]")
    parser.add_argument("--json", type=Path, help="the file to write")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    layers, batches, shape = LAYERS, BATCHES, SHAPE
    if options.rehearse:
        layers, batches, shape = ((16, 0.1),), (1, 4), (3, 8, 8)
    rows = [
        row
        for units, keep in layers
        for batch in batches
        for row in measure(units, keep, batch, options.rounds, options.device, shape)
    ]
    for row in rows:
        print(
            f"{row['units']:5} units  batch {row['batch']:4}  {row['work']:7} {row['form']:8} "
            f"{row['ms']:9.3f} ms  {row['of_dense']:5.2f} of dense  {row['kilobytes']:9.1f} kB"
        )
    if options.json is not None:
        figures = {"made_on": {**provenance.here(), "device": options.device}, "rows": rows}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
