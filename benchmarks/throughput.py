"""Measure samples per second of a training worker, compared with its matrix products alone.

    python benchmarks/throughput.py [--rounds 7] [--json FILE]

It times the loop of ``spatialnb.training.loop`` itself: one thread per worker, a 3072-256-128-10
network, batch size 128, uint8 images in memory, fused Adam. Every round times the matrix products
of a step alone (forward and backward, same shapes, same thread), then the loop without a prior,
then with the exponential kernel; the share is the ratio within a round, and medians over rounds are
printed. Inputs and Adam's steps are also timed alone, as shares of the loop's time. Then two
workers do the same at the same time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import statistics
import time
from pathlib import Path
from typing import Any

WIDTHS = (3072, 256, 128, 10)
BATCH = 128
STEPS = 390


def made_data() -> Any:
    """Random images in the shape of CIFAR-10, since speed does not depend on their content."""
    import torch

    from spatialnb.datasets import Dataset, Split

    chance = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (STEPS * BATCH, WIDTHS[0]), generator=chance, dtype=torch.uint8)
    labels = torch.randint(0, WIDTHS[-1], (len(images),), generator=chance)
    return Dataset(
        name="made",
        title="made",
        quick=True,
        train=Split(x=images, y=labels),
        test=Split(x=images[:1], y=labels[:1]),
        shape=(3, 32, 32),
        classes=WIDTHS[-1],
        mean=torch.full((WIDTHS[0],), 127.5),
        std=torch.full((WIDTHS[0],), 73.6),
        sha256="",
    )


def products() -> float:
    """Samples per second of a step's matrix products alone."""
    import torch

    layers = []
    for index, (into, out) in enumerate(itertools.pairwise(WIDTHS)):
        x, w, g = torch.randn(BATCH, into), torch.randn(out, into), torch.randn(BATCH, out)
        layers.append((x, w, g, index > 0))  # the first layer needs no gradient of its inputs
    started = time.perf_counter()
    for _ in range(STEPS):
        for x, w, g, passes_on in layers:
            x @ w.T
            g.T @ x
            if passes_on:
                g @ w
    return STEPS * BATCH / (time.perf_counter() - started)


def inputs(data: Any) -> float:
    """Samples per second of selecting, converting and standardising images alone."""
    import torch

    order = torch.randperm(STEPS * BATCH)
    started = time.perf_counter()
    for index in torch.split(order, BATCH):
        data.inputs(data.train, index)
    return STEPS * BATCH / (time.perf_counter() - started)


def adam() -> float:
    """Samples per second of Adam's steps alone."""
    import torch

    shapes = [(out, into) for into, out in itertools.pairwise(WIDTHS)]
    weights = [torch.randn(shape, requires_grad=True) for shape in shapes]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    optimizer = torch.optim.Adam(weights, fused=True)
    started = time.perf_counter()
    for _ in range(STEPS):
        optimizer.step()
    return STEPS * BATCH / (time.perf_counter() - started)


def loop(data: Any, run: Any) -> float:
    """Samples per second of one epoch of the training loop."""
    from spatialnb.training import loop

    started = time.perf_counter()
    loop.train(run, data)
    return STEPS * BATCH / (time.perf_counter() - started)


def measure(rounds: int, barrier: Any, results: Any) -> None:
    """Run all rounds of a worker, in step with the other workers."""
    import torch

    from spatialnb import Exponential, Run, Static

    torch.set_num_threads(1)
    data = made_data()
    plain = Run(dataset="made", epochs=1)
    prior = Run(dataset="made", epochs=1, schedule=Static(kernel=Exponential()))
    rows = []
    for _ in range(rounds + 1):
        row = {}
        for name, work in (
            ("products", products),
            ("plain", lambda: loop(data, plain)),
            ("prior", lambda: loop(data, prior)),
            ("inputs", lambda: inputs(data)),
            ("adam", adam),
        ):
            barrier.wait()
            row[name] = work()
        rows.append(row)
    results.put(rows[1:])  # the first round warms up


def workers(count: int, rounds: int) -> list[dict[str, float]]:
    """Rows by round, with rates summed over `count` simultaneous workers."""
    from spatialnb.execution.process_pool import worker_environment

    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(count), context.Queue()
    with worker_environment():
        processes = [
            context.Process(target=measure, args=(rounds, barrier, results)) for _ in range(count)
        ]
        for process in processes:
            process.start()
        every = [results.get() for _ in processes]
        for process in processes:
            process.join()
    return [
        {name: sum(row[name] for row in rows) for name in rows[0]}
        for rows in zip(*every, strict=True)
    ]


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Medians over rounds."""
    return {
        "products": statistics.median(row["products"] for row in rows),
        "plain": statistics.median(row["plain"] for row in rows),
        "prior": statistics.median(row["prior"] for row in rows),
        "plain_share": statistics.median(row["plain"] / row["products"] for row in rows),
        "prior_share": statistics.median(row["prior"] / row["products"] for row in rows),
        "prior_cost": statistics.median(1 - row["prior"] / row["plain"] for row in rows),
        "inputs_share": statistics.median(row["plain"] / row["inputs"] for row in rows),
        "adam_share": statistics.median(row["plain"] / row["adam"] for row in rows),
    }


def main() -> None:
    """Measure with one worker and with two, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds  [default: 7]")
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {arguments.rounds}")
    figures = {str(count): summary(workers(count, arguments.rounds)) for count in (1, 2)}
    print(f"medians of {arguments.rounds} rounds, samples per second")
    print(
        f"{'workers':>8}{'products':>10}{'plain':>8}{'share':>8}{'prior':>8}{'share':>8}{'cost':>7}"
        f"{'inputs':>8}{'Adam':>7}"
    )
    for count, row in figures.items():
        print(
            f"{count:>8}{row['products']:>10,.0f}{row['plain']:>8,.0f}{row['plain_share']:>8.0%}"
            f"{row['prior']:>8,.0f}{row['prior_share']:>8.0%}{row['prior_cost']:>7.0%}"
            f"{row['inputs_share']:>8.0%}{row['adam_share']:>7.0%}"
        )
    scale = figures["2"]["prior"] / figures["1"]["prior"]
    print(f"two workers over one, with the prior: {scale:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
