"""Distribute tests over the processes of `pytest -n`."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported; one process per core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

TOGETHER = re.compile(
    r"book/.*\.ipynb"  # the cells of a page share a kernel
    r"|tests/test_all_results\.py"  # shares slow fixtures, as do those in the next line
    r"|tests/test_(cluster|datasets_real|determinism|faults|rerun|runs)\.py"
    r"|\[.+-(light|dark)(?=[-\]])"  # a page of the book that is open in a browser tab
)
"""The part of a test's id by which tests that share something run in the same process."""


class Spread(LoadScopeScheduling):
    """Assign tests to processes one by one, except groups that share something."""

    def _split_scope(self, nodeid: str) -> str:
        found = TOGETHER.search(nodeid)
        return found[0] if found else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Use this scheduler whatever `--dist` says."""
    return Spread(config, log)
