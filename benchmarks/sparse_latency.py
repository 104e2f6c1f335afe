"""Measure time and memory of a forward pass with zeros: dense, as sparse CSR, and as a band.

    python benchmarks/sparse_latency.py [--rounds 31] [--json book/speed/sparse_latency.json]

One thread, a 3072-256-128-10 network with ReLU and biases, single precision, and random weights in
the band that a thresholded kernel leaves (``spatialnb.config.sparsity``), with the same zeros for
all. ``dense`` multiplies zeros like other numbers; ``csr`` uses the compressed rows of
``torch.sparse`` with 32-bit indices; ``band`` uses a small dense product for each block of rows, on
the slice of inputs that these rows need; ``narrower`` is a dense network with as many weights.
Every round times each in turn, and ratios to dense are taken within a round; medians over rounds
are printed. The number of blocks is the fastest one in a trial before the rounds.

Memory is that of weights, indices and biases, and the peak of temporary memory in a pass.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from spatialnb.config.sparsity import Sparse
from spatialnb.records import provenance
from spatialnb.training.sparse_optimizers import masks, narrowed

WIDTHS = (3072, 256, 128, 10)
LEVELS = (0.814, 0.886, 0.942, 0.98)
BATCHES = (1, 32, 1024)
BLOCKS = (2, 4, 8, 16, 32)
SECONDS = 0.02
"""Approximate duration of one timing, in seconds."""

Layer = tuple[Tensor, Tensor]
"""Weight (out, in) and bias (out,)."""


class Network(NamedTuple):
    """An implementation: the tensors it stores, and a function (batch, 3072) to (batch, 10)."""

    stored: list[Tensor]
    forward: Callable[[Tensor], Tensor]


def drawn(widths: tuple[int, ...]) -> list[Layer]:
    """Layers with random weights, since speed does not depend on them."""
    chance = torch.Generator().manual_seed(0)
    return [
        (torch.randn(out, into, generator=chance) / into**0.5, torch.randn(out, generator=chance))
        for into, out in itertools.pairwise(widths)
    ]


def banded(layers: list[Layer], zeros: float) -> list[Layer]:
    """The layers with zeros outside the band for this fraction of zeros."""
    band = Sparse(zeros=zeros, places="band")
    kept = masks([weight for weight, _ in layers], band, torch.Generator())
    return [(weight * mask, bias) for (weight, bias), mask in zip(layers, kept, strict=True)]


def dense(layers: list[Layer]) -> Network:
    """Dense implementation, which multiplies zeros like other numbers."""

    def forward(x: Tensor) -> Tensor:
        for weight, bias in layers[:-1]:
            x = linear(x, weight, bias).relu_()
        return linear(x, *layers[-1])

    return Network([part for layer in layers for part in layer], forward)


def csr(layers: list[Layer]) -> Network:
    """Implementation with compressed rows; activations are (features, batch)."""
    made = []
    for weight, bias in layers:
        rows = weight.to_sparse_csr()
        crow, col = rows.crow_indices().int(), rows.col_indices().int()
        made.append(
            (
                torch.sparse_csr_tensor(
                    crow, col, rows.values(), weight.shape, check_invariants=True
                ),
                bias[:, None],
            )
        )

    def forward(x: Tensor) -> Tensor:
        h = x.T
        for weight, bias in made[:-1]:
            h = (weight @ h).add_(bias).relu_()
        weight, bias = made[-1]
        return (weight @ h).add_(bias).T

    stored = [
        part
        for weight, bias in made
        for part in (weight.crow_indices(), weight.col_indices(), weight.values(), bias)
    ]
    return Network(stored, forward)


def band(layers: list[Layer], blocks: int) -> Network:
    """Implementation with blocks of rows, each with the slice of inputs that it needs."""
    made: list[list[tuple[slice, Tensor, Tensor]]] = []
    for weight, bias in layers:
        parts = []
        for rows, offset in zip(weight.chunk(blocks), bias.chunk(blocks), strict=True):
            columns = rows.any(dim=0).nonzero()
            inputs = slice(int(columns.min()), int(columns.max()) + 1)
            parts.append((inputs, rows[:, inputs].contiguous(), offset))
        made.append(parts)

    def layer(x: Tensor, parts: list[tuple[slice, Tensor, Tensor]]) -> Tensor:
        return torch.cat([linear(x[:, inputs], w, b) for inputs, w, b in parts], dim=1)

    def forward(x: Tensor) -> Tensor:
        for parts in made[:-1]:
            x = layer(x, parts).relu_()
        return layer(x, made[-1])

    stored = [tensor for parts in made for _, weight, bias in parts for tensor in (weight, bias)]
    return Network(stored, forward)


def seconds(network: Network, x: Tensor, calls: int) -> float:
    """Mean seconds per pass, over `calls` passes."""
    started = time.perf_counter()
    for _ in range(calls):
        network.forward(x)
    return (time.perf_counter() - started) / calls


def calls_of(network: Network, x: Tensor) -> int:
    """Number of passes per timing."""
    network.forward(x)
    return max(1, round(SECONDS / seconds(network, x, 3)))


def stored_bytes(network: Network) -> int:
    """Bytes of weights, indices and biases."""
    return sum(tensor.nbytes for tensor in network.stored)


def working_bytes(network: Network, x: Tensor) -> int:
    """Peak bytes of temporary memory in a pass, without `x`."""
    activity = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[activity], profile_memory=True) as profile:
        network.forward(x)
    assert profile.profiler is not None
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(sizes), default=0)


def measure(zeros: float, batch: int, rounds: int) -> list[dict[str, Any]]:
    """Measure one level and batch size, and return one row per implementation."""
    layers = banded(drawn(WIDTHS), zeros)
    x = torch.randn(batch, WIDTHS[0], generator=torch.Generator().manual_seed(1))
    bands = {blocks: band(layers, blocks) for blocks in BLOCKS}
    warm = {
        count: min(seconds(one, x, calls_of(one, x)) for _ in range(3))
        for count, one in bands.items()
    }
    blocks = min(warm, key=warm.__getitem__)
    narrow = (WIDTHS[0], *narrowed(WIDTHS[0], WIDTHS[1:-1], WIDTHS[-1], zeros), WIDTHS[-1])
    ways = {
        "dense": dense(layers),
        "csr": csr(layers),
        "band": bands[blocks],
        "narrower": dense(drawn(narrow)),
    }
    expected = ways["dense"].forward(x)
    for name in ("csr", "band"):
        torch.testing.assert_close(ways[name].forward(x), expected, rtol=1e-3, atol=1e-3)
    calls = {name: calls_of(way, x) for name, way in ways.items()}
    timed = [
        {name: seconds(way, x, calls[name]) for name, way in ways.items()} for _ in range(rounds)
    ]
    return [
        {
            "zeros": zeros,
            "batch": batch,
            "way": name,
            "blocks": blocks if name == "band" else None,
            "microseconds": 1e6 * statistics.median(row[name] for row in timed),
            "time_ratio": statistics.median(row[name] / row["dense"] for row in timed),
            "stored_bytes": stored_bytes(way),
            "stored_ratio": stored_bytes(way) / stored_bytes(ways["dense"]),
            "working_bytes": working_bytes(way, x),
        }
        for name, way in ways.items()
    ]


def main() -> None:
    """Measure all levels and batch sizes, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=31, help="number of rounds  [default: 31]")
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {arguments.rounds}")
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    os.environ.setdefault(
        "KINETO_LOG_LEVEL", "6"
    )  # otherwise the profiler prints a message when it starts
    torch.set_num_threads(1)
    with torch.inference_mode():
        rows = [
            row
            for zeros in LEVELS
            for batch in BATCHES
            for row in measure(zeros, batch, arguments.rounds)
        ]
    print(f"medians of {arguments.rounds} rounds; ratios are to dense")
    print(
        f"{'zeros':>6}{'batch':>7}  {'way':10}{'blocks':>7}{'µs':>10}{'ratio':>8}"
        f"{'stored, kB':>12}{'ratio':>8}{'in use, kB':>12}"
    )
    for row in rows:
        print(
            f"{row['zeros']:6.1%}{row['batch']:7}  {row['way']:10}{row['blocks'] or '':>7}"
            f"{row['microseconds']:10,.1f}{row['time_ratio']:8.3f}"
            f"{row['stored_bytes'] / 1000:12,.1f}{row['stored_ratio']:8.3f}"
            f"{row['working_bytes'] / 1000:12,.1f}"
        )
    if arguments.json:
        said = {
            "format": "spatialnb-sparse-latency/1",
            "rounds": arguments.rounds,
            "provenance": provenance.here(),
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
