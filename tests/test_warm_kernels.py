"""Kernels that are forks of one process: like any kernel, and gone when they should be."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import warm_kernels

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux alone"),
    pytest.mark.filterwarnings("default"),  # Jupyter's own
]

TOLD = """\
import os, sys
import matplotlib.pyplot as plt
import pandas as pd

print(__name__, os.getcwd(), sys.argv[0], len(sys.argv), sys.path)
print(sorted(name for name in globals() if not name.startswith("_")))
print(os.getpgrp() == os.getpid(), sys.stdin.read(), plt.get_backend())
print(sorted(name for name in os.environ if name not in ("JUPYTER_PATH", "OMP_WAIT_POLICY")))
plt.plot([1, 2])
display(pd.DataFrame({"a": [1]}))
"""


@pytest.fixture
def offered(tmp_path: Path) -> Iterator[set[psutil.Process]]:
    """Warm kernels; and the processes that earlier tests have left to this one."""
    before = set(psutil.Process().children(recursive=True))
    with warm_kernels.offered(tmp_path / "kernels"):
        yield before


def outputs(code: str, client: Any = NotebookClient, **settings: Any) -> list[dict[str, Any]]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client(notebook, kernel_name="python3", **settings).execute()
    return [dict(one) for one in notebook.cells[0].outputs]


def test_a_warm_kernel_gives_what_any_kernel_gives(tmp_path: Path) -> None:
    cold = outputs(TOLD)
    with warm_kernels.offered(tmp_path / "kernels"):
        assert outputs(TOLD) == cold
        code = "import sys; print('torch' in sys.modules)"
        assert "True" in str(outputs(code))
    assert "False" in str(outputs(code))


def test_one_kernel_does_not_see_what_another_did(offered: None) -> None:
    outputs("import os, pandas; pandas.left = 1; os.environ['LEFT'] = 'here'")
    assert "False False" in str(
        outputs("import os, pandas; print('LEFT' in os.environ, hasattr(pandas, 'left'))")
    )


@pytest.mark.slow  # eight thousand outputs, several times over
def test_no_output_is_lost_where_the_reader_is_slow(offered: None) -> None:
    class Slow(NotebookClient):
        slept = False

        def process_message(self, message: Any, *others: Any) -> Any:
            if message["msg_type"] == "display_data" and not self.slept:
                self.slept = True
                time.sleep(3)
            return super().process_message(message, *others)

    code = "for i in range(8000): display({'text/plain': str(i) * 800}, raw=True)"
    assert len(outputs(code, Slow, iopub_timeout=120)) == 8000


def test_a_kernel_that_dies_or_hangs_is_noticed(offered: None) -> None:
    with pytest.raises(DeadKernelError):
        outputs("import os; os._exit(3)")
    with pytest.raises(CellTimeoutError):
        outputs("import time; time.sleep(60)", timeout=1)


def test_a_kernel_ends_with_who_asked_for_it(offered: set[psutil.Process]) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    asker = psutil.Process(manager.provisioner.pid)
    mine = psutil.Process()
    kernels = [one for one in mine.children(recursive=True) if one not in {asker, *offered}]
    assert len(kernels) == 3  # the parent of all, an attendant and the kernel
    asker.send_signal(signal.SIGKILL)
    gone, _ = psutil.wait_procs(kernels[2:], timeout=10)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    assert gone == kernels[2:]


def test_without_the_parent_a_kernel_starts_as_ever(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    with warm_kernels.offered(tmp_path / "kernels"):
        (parent,) = set(psutil.Process().children()) - before
        parent.kill()
        parent.wait()
        time.sleep(0.1)
        assert "False" in str(outputs("import sys; print('torch' in sys.modules)"))
