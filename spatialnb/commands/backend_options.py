"""Command-line options that choose where runs are trained, and the backend they select."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from spatialnb.execution.stack_options import AUTO, PRECISIONS, Size

if TYPE_CHECKING:
    from spatialnb.execution.backend import Backend

workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Number of single-threaded processes.  [default: one per core]",
)

cluster_option = click.option(
    "--cluster",
    metavar="ADDRESS",
    envvar="SPATIALNB_CLUSTER",
    help="Train on the Dask cluster with this scheduler, e.g. tcp://login-node:8786.  "
    "[default: $SPATIALNB_CLUSTER, or this machine]",
)

device_option = click.option(
    "--device",
    default="cpu",
    help="Train on this device, e.g. cuda, one run at a time.  [default: cpu]",
)


class StackSize(click.ParamType[Size]):
    """A number of runs, at least 1, or ``auto``."""

    name = "runs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        """Parse the number of runs, or ``auto``."""
        if value == AUTO:
            return AUTO
        try:
            runs = int(value)
        except ValueError:
            runs = 0
        if runs < 1:
            self.fail(
                f"expected a number of runs, at least 1, or {AUTO}, got {value!r}", param, ctx
            )
        return runs


stack_option = click.option(
    "--stack",
    type=StackSize(),
    metavar="RUNS",
    help="Train up to this many runs of one architecture together, as one program; auto: as many "
    "as fit in the memory of a CUDA device. Their records say so and cannot be published.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="float32",
    help="Precision of matrix products in stacks on a CUDA device; tf32 is faster and gives "
    "different numbers.  [default: float32]",
)


@dataclass(frozen=True, kw_only=True)
class BackendOptions:
    """The values of the backend options; only :meth:`connected` reads them."""

    workers: int | None
    device: str
    stack: Size | None
    precision: str
    cluster: str | None

    @contextlib.contextmanager
    def connected(self, *, needed: bool) -> Iterator[Backend]:
        """The backend that the options select; connects to a cluster only if `needed`.

        Raises
        ------
        click.UsageError : two options exclude each other.
        OSError, RuntimeError, ValueError : the device cannot be used, or as for
            :func:`spatialnb.execution.dask_cluster.connected`.
        """
        self._check(needed)
        if self.cluster is None or not needed:
            backend = self._local()
            if needed:
                backend.check()
            yield backend
            return
        from spatialnb.execution import dask_cluster

        with dask_cluster.connected(self.cluster, click.echo) as backend:
            click.echo(f"{backend.workers} worker processes at {self.cluster}")
            yield backend

    def _local(self) -> Backend:
        """The backend on this machine."""
        from spatialnb.execution.accelerator import Accelerator
        from spatialnb.execution.process_pool import ProcessPool

        if self.device != "cpu":
            return Accelerator(self.device, stack=self.stack, precision=self.precision)
        return ProcessPool(workers=self.workers, stack=self.stack)

    def _check(self, needed: bool) -> None:
        """Refuse combinations in which one option would be ignored."""
        if self.device != "cpu" and self.workers is not None:
            raise click.UsageError(
                "--workers is the number of CPU processes, but --device trains on another device "
                "in a single process; leave out one of the two"
            )
        cuda = self.device.startswith("cuda")
        if self.stack == AUTO and not cuda:
            raise click.UsageError(
                "--stack auto needs a CUDA device, whose memory sets the number of runs; add "
                "--device cuda, or give a number of runs"
            )
        if self.precision != "float32" and not (cuda and self.stack is not None):
            raise click.UsageError(
                f"--precision {self.precision} applies only to stacks on a CUDA device; add "
                "--device cuda --stack auto"
            )
        if self.cluster is None or not needed:
            return
        if self.device != "cpu" or self.stack is not None:
            raise click.UsageError(
                "--device and --stack train on this machine, but --cluster (or SPATIALNB_CLUSTER) "
                "trains on others; leave out either them or the cluster"
            )
        if self.workers is not None:
            raise click.UsageError(
                "--workers is the number of processes on this machine, but --cluster (or "
                "SPATIALNB_CLUSTER) trains on others; leave out one of the two"
            )


def backend_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: add these options, and pass them to the command as one argument, `options`."""

    @workers_option
    @device_option
    @stack_option
    @precision_option
    @cluster_option
    @functools.wraps(command)
    def with_options(
        *,
        workers: int | None,
        device: str,
        stack: Size | None,
        precision: str,
        cluster: str | None,
        **others: Any,
    ) -> None:
        options = BackendOptions(
            workers=workers, device=device, stack=stack, precision=precision, cluster=cluster
        )
        command(**others, options=options)

    return with_options
