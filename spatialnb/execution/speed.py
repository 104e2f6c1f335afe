"""Measure how fast runs train on this machine: a few steps of each kind, on random samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from spatialnb.analysis import pair_measures
from spatialnb.config.run import Run
from spatialnb.datasets import Dataset, Edition, Split, edition
from spatialnb.execution.planning import editions
from spatialnb.training import loop, multitask
from spatialnb.training.stack import cost

FEW, MOST = 4, 80
"""Number of steps in the first trial, and the maximum in the second."""
WANTED = 0.4
"""Approximate duration of the second trial, in seconds."""


def seconds_of_an_epoch(run: Run, device: str = "cpu") -> float:
    """Seconds that one epoch of this run takes in the loop.

    On the CPU this is process time of one thread, independent of other load; on another device it
    is wall-clock time.
    """
    sizes = [(_images(run, name), _measured(run, name)) for name in editions(run)]
    steps = max(math.ceil(images / run.batch_size) for images, _ in sizes)
    few = min(FEW, steps)
    _train(run, few, sizes, device)  # warm-up: imports and first calls
    short = _train(run, few, sizes, device)
    more = min(steps, MOST, max(2 * few, round(WANTED / max(short, 1e-4) * few)))
    if more == few:
        return short
    long = _train(run, more, sizes, device)
    a_step = max((long - short) / (more - few), 0.1 * long / more)  # clocks are not exact
    once = max(0.0, long - more * a_step)  # overhead of an epoch besides its steps
    return once + steps * a_step


def epochs(run: Run) -> int:
    """Number of epochs of a run, including those after pruning."""
    after = 0 if run.prune is None else 1 + len(run.prune.by) * len(run.prune.zeros)
    return run.epochs + after


def seconds_of_a_pair(first: Run, second: Run, measure: str) -> float | None:
    """Seconds to compare two networks; None if the measure needs the data themselves."""
    if measure != "similarity":
        return None
    kept = [pair_measures.keep(pair_measures.untrained(run)) for run in (first, second)]
    started = time.perf_counter()
    pair_measures.MEASURES[measure](first, second, *kept)
    return time.perf_counter() - started


def bounds_of_stacks(runs: Sequence[Run], device: str) -> float:
    """Lower bound of the seconds for stacks of these runs, from the device's measured rates."""
    copied, multiplied = _rates(device)
    kinds: dict[str, tuple[float, float]] = {}
    total = 0.0
    for run in runs:
        key = str((run.dataset, run.network, run.hidden, run.train_size, run.batch_size))
        if key not in kinds:
            kinds[key] = cost.moved(run), cost.operations(run)
        bytes_, operations = kinds[key]
        total += run.epochs * max(bytes_ / copied, operations / multiplied)
    return total


def _rates(device: str) -> tuple[float, float]:
    """Bytes per second of a copy (read plus write), operations per second of a matrix product."""
    numbers, side = (2**26, 4096) if device.startswith("cuda") else (2**20, 256)
    source = torch.rand(numbers, device=device)
    target = torch.empty_like(source)
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    copy = _seconds(lambda: target.copy_(source), device)
    product = _seconds(lambda: a @ b, device)
    return 8.0 * numbers / copy, 2.0 * side**3 / product


def _seconds(work: Callable[[], object], device: str) -> float:
    """The shortest of three timings, after one warm-up."""
    found = []
    for _ in range(4):
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        found.append(time.perf_counter() - started)
    return min(found[1:])


def _images(run: Run, name: str) -> int:
    return run.train_size or edition(name).train - (run.validation_size or 0)


def _measured(run: Run, name: str) -> int:
    return run.validation_size or edition(name).test


def _train(run: Run, steps: int, sizes: list[tuple[int, int]], device: str) -> float:
    """Seconds of a one-epoch run of `steps` steps, evaluated on a proportional part of the data."""
    largest = max(images for images, _ in sizes)
    share = min(1.0, steps * run.batch_size / largest)
    data = [
        _made(edition(name), max(1, round(share * images)), max(1, round(share * measured)))
        for name, (images, measured) in zip(editions(run), sizes, strict=True)
    ]
    small = replace(run, epochs=1, train_size=None, validation_size=None, prune=None)
    clock: Callable[[], float] = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    if small.second is None:
        loop.train(small, data[0], device=device)
    else:
        multitask.train(small, (data[0], data[1]), device=device)
    return clock() - started


def _made(entry: Edition, train: int, test: int) -> Dataset:
    """Random samples in the shape of an edition, since speed does not depend on their content."""
    random = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        if entry.kind == "image":
            shape = (count, entry.features)
            x = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
        else:
            x = torch.rand(count, entry.features, generator=random)
        return Split(x=x, y=torch.arange(count) % entry.classes)

    return Dataset(
        name=entry.name,
        title=entry.title,
        quick=entry.quick,
        train=split(train),
        test=split(test),
        shape=entry.shape,
        classes=entry.classes,
        mean=torch.full((entry.features,), 127.5 if entry.kind == "image" else 0.0),
        std=torch.full((entry.features,), 73.6 if entry.kind == "image" else 1.0),
        sha256="",
    )
