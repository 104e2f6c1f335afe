"""The kernel of a re-run: this interpreter with this package, whatever kernels are installed."""

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
"""What the chapters call their kernel."""


class OwnInterpreter(KernelSpecManager):
    """Knows one kernel. Others, of ``JUPYTER_PATH`` or the user's, may be of another Python."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """How this interpreter is started as a kernel."""
        line = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=line, display_name="Python 3", language="python", env=_environment())


class OwnKernel(AsyncKernelManager):
    """Starts :class:`OwnInterpreter`, and lets an idle kernel end without a Ctrl-C."""

    @default("kernel_spec_manager")
    def _own_interpreter(self) -> OwnInterpreter:
        return OwnInterpreter(parent=self)

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:  # at the end it would say that it caught a Ctrl-C
            await super()._async_interrupt_kernel()


def _environment() -> dict[str, str]:
    """What makes a kernel import this package where it would import another copy.

    ``python -m spatialnb`` takes the one in the folder it is called in, which comes first on the
    path; a kernel works in another folder.
    """
    found = PathFinder.find_spec(provenance.PACKAGE.name, [path for path in sys.path[1:] if path])
    if found and found.origin and Path(found.origin).parent.samefile(provenance.PACKAGE):
        return {}
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    path = os.pathsep.join([str(provenance.PACKAGE.parent), *others])
    return {"PYTHONPATH": path.replace("$", "$$")}  # a kernel's are templates
