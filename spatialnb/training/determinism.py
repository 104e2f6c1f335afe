"""Bit-for-bit reproducibility: one thread, and random numbers only from a run's own generators."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import torch

_one_at_a_time = threading.RLock()


def generator(seed: int, purpose: str) -> torch.Generator:
    """The random generator for a seed and a purpose; every purpose has a separate stream.

    Random numbers are drawn on the CPU for every device, so a run has the same initialisation and
    batch order everywhere.
    """
    streams = {"initialisation": 2 * seed, "order": 2 * seed + 1, "second order": 2**40 + seed}
    streams |= {"mask": 2**41 + seed, "intervention": 2**42 + seed}
    streams |= {"permuted units": 2**43 + seed, "mask nulls": 2**44 + seed}
    return torch.Generator().manual_seed(streams[purpose])


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Use one thread and deterministic algorithms inside; restore the settings afterwards.

    Convolutions on CUDA use single precision, whereas torch's default rounds their inputs to TF32.

    These settings, and the cache of :func:`spatialnb.training.evaluation.parametrized_once`, are
    global to the process, so runs in different threads wait for each other here.
    """
    with _one_at_a_time:
        threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        memory: Any = torch.utils.deterministic
        fills = memory.fill_uninitialized_memory
        rounds: bool = torch.backends.cudnn.allow_tf32
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        # cuBLAS requires this, before it starts, for deterministic results.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # By default every new tensor is filled first; nothing here reads uninitialised memory.
        memory.fill_uninitialized_memory = False
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
            memory.fill_uninitialized_memory = fills
            torch.backends.cudnn.allow_tf32 = rounds
