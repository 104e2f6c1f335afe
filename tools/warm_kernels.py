"""Kernels that start at once: copies of one process that has imported what the pages need.

Most of the time of a short notebook goes into importing pandas, scipy, matplotlib and torch. Here
one process does so, and each kernel is a fork of it: ipykernel itself, in a process, an environment
and a namespace of its own, so a page gives what it gives anywhere. Kernels start as ever where a
fork is not safe (macOS), and where an import gives a warning, which belongs into the page.

    with warm_kernels.offered(folder): ...    # to whatever starts kernels inside the block
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
"""What is imported before there are kernels; of a package of ours the modules inside as well."""
SECONDS = 0.02
"""How often an attendant looks whether its kernel has ended."""


@contextlib.contextmanager
def offered(folder: Path) -> Iterator[None]:
    """Let kernels of the name ``python3`` start warm, in this process and in those it starts.

    Parameters
    ----------
    folder : where the description of such a kernel goes.
    """
    import subprocess
    import tempfile

    # Threads that wait for the next product, and do not yield, would slow the kernel beside.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    before = os.environ.get("JUPYTER_PATH")
    with contextlib.ExitStack() as stack:
        if sys.platform == "linux":
            place = stack.enter_context(tempfile.TemporaryDirectory())
            name = f"{place}/kernels"  # a socket's name must be short
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(name)
                door.listen(64)
                parent = subprocess.Popen(
                    [sys.executable, __file__, "--serve", f"{door.fileno()}"],
                    stdin=subprocess.PIPE,
                    pass_fds=[door.fileno()],
                )
            stack.callback(parent.communicate)  # closes its input, on which it ends
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
    """Write down how to start a kernel, for Jupyter."""
    described = {
        "argv": [*command, "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True, exist_ok=True)
    (place / "kernel.json").write_text(json.dumps(described), "utf-8")


# The process that Jupyter starts, and takes for the kernel.


def ask(name: str, arguments: list[str]) -> int:
    """Ask for a kernel, hand signals on to it, and end as it ends.

    Where nobody answers, this process becomes the kernel.
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
        except OSError:  # its attendant was killed, which ends the kernel too
            ended = 1
        return ended if ended >= 0 else 128 - ended
    os.execv(sys.executable, [sys.executable, __file__, "--cold", *arguments])


def _number(line: socket.socket) -> int:
    """A number from the other side; OSError where that is gone."""
    text = line.recv(8, socket.MSG_WAITALL)
    if len(text) < 8:
        raise ConnectionError("the other side is gone")
    return int.from_bytes(text, "big", signed=True)


def _say(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who asked may be gone
        line.sendall(number.to_bytes(8, "big", signed=True))


def _to_group(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


# The parent of the kernels, and its children.


def warm() -> bool:
    """Import what kernels will need; False where that gave a warning, which would be lost."""
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
    gc.freeze()  # no kernel's collector goes through all this again, so it stays shared
    return not said


def serve(door: socket.socket) -> list[str] | None:
    """Make kernels for those who ask, until the standard input ends.

    Returns
    -------
    list or None : inside a new kernel its arguments; None in the parent, at its end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the build, and so this one
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
    """Fork a kernel, and stay to say when it ended, and to end it where who asked is gone.

    Returns
    -------
    list : inside the kernel its arguments. The attendant itself ends here.
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
        if select.select([line], [], [], SECONDS)[0]:  # they say no more, so they are gone
            _to_group(kernel, signal.SIGKILL)
            os.waitpid(kernel, 0)
            os._exit(0)


def _fork() -> int:
    """`os.fork`, which warns where a library has threads; those of ours stand a fork."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _become(
    streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]
) -> list[str]:
    """Make this process what Jupyter would have started: its streams, folder and environment."""
    import numpy as np

    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # noqa: NPY002 - the one that every process has, as if just imported
    return arguments


def launch(arguments: list[str], **settings: int) -> None:
    """Be a kernel: ipykernel, which loses no output.

    It may drop some where a cell gives more than a thousand, as one does that makes the numbers of
    a chapter known, and who runs the notebook is slow to take them.
    """
    from importlib.util import find_spec

    import zmq
    from ipykernel.kernelapp import IPKernelApp

    class WholeKernelApp(IPKernelApp):
        def init_iopub(self, context: zmq.Context) -> None:
            context.setsockopt(zmq.SNDHWM, 0)  # of sockets that are made from now on: no limit
            super().init_iopub(context)

    sys.argv = [find_spec("ipykernel_launcher").origin, *arguments]
    WholeKernelApp.launch_instance(**settings)


def main() -> int:
    """Ask for a kernel, be one, or be the parent of kernels."""
    what, *arguments = sys.argv[1:]
    if what == "--ask":
        return ask(arguments[0], arguments[1:])
    sys.path.remove(str(Path(__file__).resolve().parent))  # where kernels do not look
    if what == "--cold":
        launch(arguments)
        return 0
    with socket.socket(fileno=int(arguments[0])) as door:
        made = serve(door) if warm() else None
    if made is not None:
        launch(made, parent_handle=os.getppid())  # it ends where its attendant does
    return 0


if __name__ == "__main__":
    sys.exit(main())
