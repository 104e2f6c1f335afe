"""Train runs of a queue as stacks where possible."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from spatialnb.config.run import Run
from spatialnb.execution.stack_options import AUTO, Stacking
from spatialnb.training.stack import sharing

if TYPE_CHECKING:
    from spatialnb.execution.job_queue import JobQueue


def divided(runs: Sequence[Run], paired: Collection[str] = ()) -> tuple[list[Run], list[Run], str]:
    """The runs that can be stacked, the others, and a sentence on how many and why not all.

    Parameters
    ----------
    runs : the runs to train.
    paired : ids of the runs whose weights a pair needs; stacks do not store weights.
    """
    known = [run for run in runs if sharing.stackable(run) and run.id not in paired]
    kept = {run.id for run in known}
    others = [run for run in runs if run.id not in kept]
    said = f"{len(known)} of {len(runs)} runs can be stacked"
    settings = {name for run in others for name in sharing.unknown_settings(run)}
    why = [f"stacks do not support {', '.join(sorted(settings))}"] if settings else []
    why += ["pairs need their weights"] if any(run.id in paired for run in others) else []
    if others:
        said += f"; {len(others)} are trained one by one" if known else ""
        said += f", because {' and '.join(why)}"
    return known, others, said


def train_stacks(queue: JobQueue, how: Stacking) -> None:
    """Train many runs of one architecture together, in this process.

    Runs with settings that stacks do not support, and runs whose weights a pair needs, stay in the
    queue, with a message. A stack that does not fit in the device's memory is split in two.
    """
    import torch  # here, as below: naming a backend needs no torch

    from spatialnb.execution.trainer import train_stack
    from spatialnb.training.stack import memory

    paired = {run.id for run in queue.runs if queue.needs_weights(run)}
    known, others, said = divided(queue.runs, paired)
    if others:
        queue.say(said)
    waiting: list[list[Run]] = []
    for group in sharing.stacks(known, len(known) or 1):
        if how.size == AUTO:
            size = memory.fitting(group[0], memory.free_bytes(how.device))
            queue.say(f"{size:,} of these runs at once fit in the memory of {how.device}")
        else:
            size = how.size
        waiting += sharing.stacks(group, size)
    while waiting:
        stack = waiting.pop(0)
        queue.announce(f"{len(stack)} runs at once")
        try:
            trained = train_stack(stack, how, queue.on_epoch(len(stack)), queue.say)
        except torch.OutOfMemoryError:
            if len(stack) == 1:
                raise
            torch.cuda.empty_cache()
            queue.recount()
            half = -(-len(stack) // 2)
            queue.say(f"{len(stack)} runs at once do not fit in memory: trying {half}")
            waiting[:0] = sharing.stacks(stack, half)
            continue
        for record, answers in trained:
            queue.finish(record, answers=answers)
        torch.cuda.empty_cache()  # the next stack needs blocks of other sizes
