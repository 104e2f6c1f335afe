"""How the tests are spread over several processes, with `pytest -n`."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported; there is a process a core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

TOGETHER = re.compile(
    r"book/.*\.ipynb"  # the cells of a page share a kernel
    r"|tests/test_all_results\.py"  # what is slow to make, as in the next line
    r"|tests/test_(cluster|datasets_real|determinism|faults|rerun|runs)\.py"
    r"|\[.+-(light|dark)(?=[-\]])"  # a page of the book in a tab of the browser
)
"""What is the same in the ids of tests that share something, so that one process runs them all."""


class Spread(LoadScopeScheduling):
    """Give a process one test after the other, and those that share something at once."""

    def _split_scope(self, nodeid: str) -> str:
        found = TOGETHER.search(nodeid)
        return found[0] if found else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Spread the tests so, whichever way `--dist` names."""
    return Spread(config, log)
