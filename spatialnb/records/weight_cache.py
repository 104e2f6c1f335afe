"""A cache of learned weights, kept until the pairs of their runs are measured."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spatialnb import datasets
from spatialnb.config.run import Run
from spatialnb.records import provenance
from spatialnb.records.store import Record, RecordError, Store


def path_of(run_id: str) -> Path:
    """The file that holds a run's learned weights until its pairs are measured."""
    folder: Path = datasets.cache_root()
    return folder / "weights" / f"{run_id}.safetensors"


def packed(run_id: str, learned: dict[str, Tensor]) -> bytes:
    """Weights in safetensors format, with the run's id and a checksum as metadata."""
    marks = {"run": run_id, "sha256": _digest(run_id, learned)}
    return bytes(safetensors.torch.save(learned, marks))


def read(run_id: str) -> dict[str, Tensor] | None:
    """The cached weights of a run; None if there are none or the file is damaged."""
    try:
        with safe_open(path_of(run_id), framework="pt") as stored:
            marks = stored.metadata() or {}
            learned = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
        whole = marks == {"run": run_id, "sha256": _digest(run_id, learned)}
    except (OSError, SafetensorError, TypeError, ValueError):  # TypeError: a dtype NumPy lacks
        return None
    return learned if whole else None


def read_required(run: Run) -> dict[str, Tensor]:
    """The cached weights of a run that was just trained. RuntimeError if they are missing."""
    stored = read(run.id)
    if stored is None:
        raise RuntimeError(
            f"{path_of(run.id)}: the weights of a run were stored there but are missing or "
            "damaged; the same command trains that run again and continues"
        )
    return stored


def _digest(run_id: str, learned: dict[str, Tensor]) -> str:
    value = hashlib.sha256(f"{run_id} weights and biases".encode())
    for name in sorted(learned):
        value.update(f"{name} {learned[name].dtype} {list(learned[name].shape)}\n".encode())
        value.update(learned[name].contiguous().numpy().tobytes())
    return value.hexdigest()


def write(weights: bytes, path: Path) -> None:
    """Write :func:`packed` weights, completely or not at all. An OSError names the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        partial.write_bytes(weights)
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def save_record(record: Record, store: Store) -> None:
    """Write a record, with the commit of the code that made it.

    If the configuration is already recorded with another result, both are kept, with a warning.
    """
    signed = Record(
        kind=record.kind,
        config=record.config,
        outcome=record.outcome,
        provenance={"commit": provenance.commit(), **record.provenance},
    )
    try:
        store.add(signed)
    except RecordError as error:
        warnings.warn(str(error), stacklevel=2)
