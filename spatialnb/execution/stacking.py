"""Runs of a queue trained as stacks, as far as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


def check_stack(stack: int | None) -> None:
    """Raise ValueError unless `stack` is a number of runs, or None."""
    if stack is not None and stack < 1:
        raise ValueError(f"stack: expected at least 1, got {stack}")


def train_stacks(queue: JobQueue, stack: int, device: str) -> None:
    """Train up to `stack` runs of one architecture at once, in this process.

    Runs that :mod:`spatialnb.training.batched` does not know, and those whose weights a pair needs,
    stay in the queue, and that is said.
    """
    from spatialnb.execution.trainer import train_stack  # here: naming a backend needs no torch
    from spatialnb.training import batched

    known = [run for run in queue.runs if batched.stackable(run) and not queue.needs_weights(run)]
    if len(known) < len(queue):
        settings = {name for run in queue.runs for name in batched.unknown_settings(run)}
        why = [f"stacks do not know {', '.join(sorted(settings))}"] if settings else []
        why += ["pairs need weights"] if any(map(queue.needs_weights, queue.runs)) else []
        queue.say(
            f"{len(queue) - len(known)} of {len(queue)} runs cannot be stacked "
            f"({'; '.join(why)}) and are trained one by one"
        )
    for group in batched.stacks(known, stack):
        queue.announce(f"{len(group)} runs at once")
        for record in train_stack(group, device, queue.on_epoch(len(group))):
            queue.finish(record)
