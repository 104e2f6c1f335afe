"""The Jupyter kernel of a re-run: this interpreter with this package.

Installed kernels may belong to another Python, so they are not used.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from spatialnb.records import provenance

NAME = "python3"
"""Name of the kernel in the chapters' metadata."""


class OwnInterpreter(KernelSpecManager):
    """Kernel specification manager with a single kernel: this interpreter.

    Kernels found through ``JUPYTER_PATH`` or the user's folders may belong to another Python.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The specification that starts this interpreter as a kernel."""
        line = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=line, display_name="Python 3", language="python", env=_environment())


class OwnKernel(AsyncKernelManager):
    """Starts :class:`OwnInterpreter`, and shuts an idle kernel down without interrupting it."""

    @default("kernel_spec_manager")
    def _own_interpreter(self) -> OwnInterpreter:
        return OwnInterpreter(parent=self)

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:  # during shutdown the kernel would report a Ctrl-C
            await super()._async_interrupt_kernel()


def _environment() -> dict[str, str]:
    """Environment variables that make the kernel import this copy of the package.

    ``python -m spatialnb`` imports the copy in the current folder, which comes first on the path,
    but the kernel runs in another folder and might find a different copy.
    """
    found = PathFinder.find_spec(provenance.PACKAGE.name, [path for path in sys.path[1:] if path])
    if found and found.origin and Path(found.origin).parent.samefile(provenance.PACKAGE):
        return {}
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    path = os.pathsep.join([str(provenance.PACKAGE.parent), *others])
    return {"PYTHONPATH": path.replace("$", "$$")}  # values in a kernel specification are templates
