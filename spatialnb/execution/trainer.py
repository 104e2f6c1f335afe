"""Train one run, or one stack of runs, in this process, and return the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from spatialnb import datasets
from spatialnb.analysis import pair_measures
from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.execution.planning import editions
from spatialnb.execution.stack_options import Stacking
from spatialnb.records import answers, provenance, weight_cache
from spatialnb.records.store import Record
from spatialnb.training import batched, fingerprint, loop, multitask


class Trained(NamedTuple):
    """A finished run: its record, its packed weights if a pair needs them, and its answers."""

    record: Record
    weights: bytes | None = None
    answers: Record | None = None


def train_one(
    run: Run,
    keep_weights: bool = False,
    on_epoch: Callable[[int], None] | None = None,
    device: str = "cpu",
) -> Trained:
    """Train a run; return its record, its packed weights if they are kept, and its answers.

    Parameters
    ----------
    run : the configuration.
    keep_weights : whether a pair needs the learned weights.
    on_epoch : called after each epoch with the number of epochs done.
    device : a torch device.
    """
    started = time.perf_counter()
    data = [datasets.load(name) for name in editions(run)]
    if run.second is None:
        trained = loop.train(run, data[0], on_epoch, device)
    else:
        trained = multitask.train(run, (data[0], data[1]), on_epoch, device)
    seconds = time.perf_counter() - started
    record = _record(run, trained.outcome, data, seconds, device=_device_name(device))
    return Trained(
        record=record,
        weights=weight_cache.packed(run.id, pair_measures.keep(trained.model))
        if keep_weights
        else None,
        answers=answers.record_of(run, trained.answers, record.provenance)
        if trained.answers
        else None,
    )


def train_stack(
    stack: Sequence[Run],
    how: Stacking,
    on_epoch: Callable[[int], None] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[tuple[Record, Record | None]]:
    """Train the runs of a stack together, see :mod:`spatialnb.training.batched`.

    The seconds in each record are the total divided by the number of runs.

    Parameters
    ----------
    stack : the runs.
    how : the device and the precision.
    on_epoch : called after each epoch with the number of epochs done.
    say : receives a sentence if something is not available, and what is done instead.

    Returns
    -------
    For each run, its record and the record of its answers (None if the run failed).
    """
    started = time.perf_counter()
    data = datasets.load(stack[0].dataset)
    options = batched.Options(device=how.device, precision=how.precision)
    found = batched.train(stack, data, on_epoch, options, say)
    seconds = (time.perf_counter() - started) / len(stack)
    device = _device_name(how.device)
    trained = []
    for run, one in zip(stack, found, strict=True):
        record = _record(
            run, one.outcome, [data], seconds, engine=batched.ENGINE, device=device, stack=one.made
        )
        given = answers.record_of(run, one.answers, record.provenance) if one.answers else None
        trained.append((record, given))
    return trained


def _record(
    run: Run, outcome: dict[str, Any], data: Sequence[Dataset], seconds: float, **made: Any
) -> Record:
    definition = fingerprint.definition(run)
    return Record(
        kind="run",
        config=run.to_dict(),
        outcome=outcome,
        provenance={
            **provenance.describe(
                {part.name: part.sha256 for part in data},
                seconds,
                decoded={part.name: part.decoded for part in data if part.decoded},
                **made,
            ),
            **({} if definition is None else {"definition": definition}),
        },
    )


def _device_name(device: str) -> str:
    """The device's name in a record: ``cpu``, or the accelerator's name."""
    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else kind
