"""Jupyter kernels that start fast, as forks of a process that has imported the pages' packages.

A short notebook spends most of its time importing pandas, scipy, matplotlib and torch. Here, one
process imports them, and each kernel is a fork of it: a normal ipykernel with a separate process,
environment and namespace, so a page has the same output as elsewhere. Kernels start normally if a
fork is not safe (macOS), or if an import raises a warning, which belongs on the page.

    with warm_kernels.offered(folder): ...    # kernels that are started inside are warm
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

IMPORTED = (
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "myst_nb",
    "pandas",
    "scipy.stats",
    "spatialnb.report",
    "spatialnb.studies",
    "statsmodels.stats.multitest",
    "statsmodels.stats.weightstats",
    "torch",
)
"""Modules to import before forking; for packages of spatialnb, also the modules inside."""
SECONDS = 0.02
"""Interval at which an attendant checks whether its kernel has ended."""


@contextlib.contextmanager
def offered(folder: Path) -> Iterator[None]:
    """Make kernels named ``python3`` start warm, in this process and its children.

    Parameters
    ----------
    folder : receives the kernel specification.
    """
    import subprocess
    import tempfile

    # Threads that busy-wait for the next operation would slow down other kernels.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    before = os.environ.get("JUPYTER_PATH")
    with contextlib.ExitStack() as stack:
        if sys.platform == "linux":
            place = stack.enter_context(tempfile.TemporaryDirectory())
            name = f"{place}/kernels"  # the path of a socket must be short
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(name)
                door.listen(64)
                parent = subprocess.Popen(
                    [sys.executable, __file__, "--serve", f"{door.fileno()}"],
                    stdin=subprocess.PIPE,
                    pass_fds=[door.fileno()],
                )
            stack.callback(parent.communicate)  # closes its standard input, at which it exits
            _describe(folder, [sys.executable, "-I", "-S", __file__, "--ask", name])
        else:
            _describe(folder, [sys.executable, __file__, "--cold"])
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), before]))
        try:
            yield
        finally:
            del os.environ["JUPYTER_PATH"]
            if before is not None:
                os.environ["JUPYTER_PATH"] = before


def _describe(folder: Path, command: list[str]) -> None:
    """Write the kernel specification for Jupyter."""
    described = {
        "argv": [*command, "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True, exist_ok=True)
    (place / "kernel.json").write_text(json.dumps(described), "utf-8")


# The process that Jupyter starts and considers to be the kernel.


def ask(name: str, arguments: list[str]) -> int:
    """Request a kernel, forward signals to it, and return its exit code.

    If nobody answers, this process becomes the kernel.
    """
    with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
        line.connect(name)
        text = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
        socket.send_fds(line, [len(text).to_bytes(8, "big")], [0, 1, 2])
        line.sendall(text)
        kernel = _number(line)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: _to_group(kernel, number))
        try:
            ended = _number(line)
        except OSError:  # its attendant was killed, at which the kernel exits too
            ended = 1
        return ended if ended >= 0 else 128 - ended
    os.execv(sys.executable, [sys.executable, __file__, "--cold", *arguments])


def _number(line: socket.socket) -> int:
    """Receive a number; OSError if the other side is gone."""
    text = line.recv(8, socket.MSG_WAITALL)
    if len(text) < 8:
        raise ConnectionError("the other side is gone")
    return int.from_bytes(text, "big", signed=True)


def _say(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the requesting process may be gone
        line.sendall(number.to_bytes(8, "big", signed=True))


def _to_group(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


# The process that forks kernels, and its children.


def warm() -> bool:
    """Import what kernels need; False if an import gave a warning, which would be lost."""
    import gc
    import importlib
    import pkgutil
    import warnings

    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as ipykernel
    with warnings.catch_warnings(record=True) as said:
        for name in IMPORTED:
            module = importlib.import_module(name)
            if name.startswith("spatialnb."):
                for part in pkgutil.iter_modules(module.__path__, f"{name}."):
                    importlib.import_module(part.name)
    gc.collect()
    gc.freeze()  # garbage collectors then leave this memory alone, so that forks share it
    return not said


def serve(door: socket.socket) -> list[str] | None:
    """Fork kernels on request, until the standard input is closed.

    Returns
    -------
    list or None : in a new kernel, its arguments; in the parent, None at the end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the build, and thereby this process
    while True:
        ready, _, _ = select.select([door, 0], [], [])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # attendants that have ended
                pass
        if 0 in ready:
            return None
        line, _ = door.accept()
        with line:
            if _fork() == 0:
                door.close()
                return _attend(line)


def _attend(line: socket.socket) -> list[str]:
    """Fork a kernel, report when it ends, and kill it if the requesting process is gone.

    Returns
    -------
    list : in the kernel, its arguments. The attendant itself exits here.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    head, streams, _, _ = socket.recv_fds(line, 8, 3)
    text = line.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    kernel = _fork()
    if kernel == 0:
        line.close()
        return _become(streams, *json.loads(text))
    _say(line, kernel)
    while True:
        ended, status = os.waitpid(kernel, os.WNOHANG)
        if ended:
            _say(line, os.waitstatus_to_exitcode(status))
            os._exit(0)
        if select.select([line], [], [], SECONDS)[0]:  # closed by the requester
            _to_group(kernel, signal.SIGKILL)
            os.waitpid(kernel, 0)
            os._exit(0)


def _fork() -> int:
    """`os.fork` without its warning about threads; those of the libraries here survive a fork."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _become(
    streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]
) -> list[str]:
    """Give this process the streams, folder and environment of the requesting process."""
    import numpy as np

    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # noqa: NPY002 - the global generator, as if just imported
    return arguments


def launch(arguments: list[str], **settings: int) -> None:
    """Run ipykernel in this process, without a limit on queued outputs.

    With its default limit, it may drop outputs if a cell has more than a thousand, like one that
    glues a chapter's values, and the process that runs the notebook reads them slowly.
    """
    from importlib.util import find_spec

    import zmq
    from ipykernel.kernelapp import IPKernelApp

    class WholeKernelApp(IPKernelApp):
        def init_iopub(self, context: zmq.Context) -> None:
            context.setsockopt(zmq.SNDHWM, 0)  # no limit, for sockets created from now on
            super().init_iopub(context)

    sys.argv = [find_spec("ipykernel_launcher").origin, *arguments]
    WholeKernelApp.launch_instance(**settings)


def main() -> int:
    """Request a kernel, become one, or become the process that forks kernels."""
    what, *arguments = sys.argv[1:]
    if what == "--ask":
        return ask(arguments[0], arguments[1:])
    sys.path.remove(str(Path(__file__).resolve().parent))  # not on the path of kernels
    if what == "--cold":
        launch(arguments)
        return 0
    with socket.socket(fileno=int(arguments[0])) as door:
        made = serve(door) if warm() else None
    if made is not None:
        launch(made, parent_handle=os.getppid())  # it exits when its attendant does
    return 0


if __name__ == "__main__":
    sys.exit(main())
