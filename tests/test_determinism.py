"""The same configuration gives the same bits: twice, elsewhere, beside others, after a kill.

On the quick editions, one arm of every chapter. `spatialnb verify` does it on published runs.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spatialnb import studies
from spatialnb.config.run import Run, canonical
from spatialnb.execution import runs, trainer
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.records.store import Record, Store
from spatialnb.study.study import Study

ROOT = Path(__file__).parents[1]


def quick(study: Study) -> Run:
    """The last arm of a chapter's own, as its quick edition has it."""
    grid = study.configs([0], study.quick.epochs, study.quick.dataset)
    return grid[list(study.arms)[-1]][0]


GRID = {run.id: run for run in map(quick, studies.STUDIES.values())}


def bits(record: Record) -> str:
    """What must not differ: what was asked, what came out, and the data it came from."""
    told = record.provenance
    return canonical([record.config, record.outcome, told["data"], told.get("second_data")])


def all_bits(folder: Path) -> dict[str, str]:
    store = Store(folder)
    return {run_id: bits(record) for run_id in GRID if (record := store.find(run_id)) is not None}


@pytest.fixture(scope="module")
def alone() -> dict[str, str]:
    """Each run trained here, one after the other."""
    return {run_id: bits(trainer.train_one(run)[0]) for run_id, run in GRID.items()}


def test_every_chapter_and_every_kind_of_run_is_among_them() -> None:
    assert {run.dataset for run in GRID.values()} == {"quick-digits", "quick-colours"}
    assert any(run.second is not None for run in GRID.values())
    assert any(run.decay is not None for run in GRID.values())
    assert {run.action for run in GRID.values()} == {"multiply", "normalise", "cap"}
    assert len(GRID) >= len(studies.STUDIES) - 2  # chapters may share an arm


def test_twice_here_in_another_order_and_with_all_generators_elsewhere(
    alone: dict[str, str],
) -> None:
    again = {}
    for place, (run_id, run) in enumerate(reversed(GRID.items())):
        torch.manual_seed(place)
        np.random.seed(place)  # noqa: NPY002 the global one is meant
        random.seed(place)
        again[run_id] = bits(trainer.train_one(run)[0])
    assert again == alone


SCRIPT = """
import json, os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from spatialnb.config.run import Run
from spatialnb.execution import runs
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.records.store import Store

class Mortal(Store):
    def add(self, record):
        path = super().add(record)
        if record.kind == "run" and len(self.ids()) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return path

if __name__ == "__main__":
    grid = [Run.from_dict(plain) for plain in json.loads(sys.stdin.read())]
    with ThreadPoolExecutor(1) as here:
        backend = ExecutorBackend(here)
        runs.complete(grid, store=Mortal(sys.argv[1]), backend=backend, progress=False)
"""


def elsewhere(store: Path, killed_after: int, **environment: str) -> int:
    """How a process ends that trains the grid, and is killed after so many records."""
    told = json.dumps([run.to_dict() for run in GRID.values()])
    words = [sys.executable, "-c", SCRIPT, str(store), str(killed_after)]
    kept = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(words, input=told, text=True, env=kept, check=False).returncode


def test_in_another_process_with_other_hashes_and_more_threads(
    alone: dict[str, str], tmp_path: Path
) -> None:
    assert elsewhere(tmp_path, 0, PYTHONHASHSEED="7", OMP_NUM_THREADS="2", TZ="Asia/Tokyo") == 0
    assert all_bits(tmp_path) == alone


def test_beside_others(alone: dict[str, str], tmp_path: Path) -> None:
    runs.complete(
        list(GRID.values()), store=Store(tmp_path), backend=ProcessPool(workers=3), progress=False
    )
    assert all_bits(tmp_path) == alone


def test_begun_killed_and_gone_on_with(alone: dict[str, str], tmp_path: Path) -> None:
    assert elsewhere(tmp_path, 5) == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")}
    assert len(before) == 5
    assert elsewhere(tmp_path, 0) == 0
    assert all_bits(tmp_path) == alone
    for name, content in before.items():
        assert (tmp_path / "runs" / name).read_bytes() == content
