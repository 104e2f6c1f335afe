"""The steps of an epoch: launched one by one, or on CUDA recorded once as a graph and replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch


class Steps:
    """Makes equal steps, one after the other.

    A step reads and changes tensors alone, and no number of it is known on the processor. So the
    first ones warm up whatever has to be, as torch asks before a graph is recorded, and count as
    any other.

    Parameters
    ----------
    step : one step.
    device : where its tensors are.
    graph : record the operations of one step, so that they need not be launched one by one.
    say : told in a sentence where nothing can be recorded; steps are then launched one by one.
    """

    WARM = 3
    """Steps before one is recorded."""

    def __init__(
        self,
        step: Callable[[], None],
        device: torch.device,
        graph: bool,
        say: Callable[[str], None],
    ) -> None:
        self._step, self._device, self._say = step, device, say
        self._wanted, self._done = graph, 0
        self._recorded: torch.cuda.CUDAGraph | None = None

    @property
    def recorded(self) -> bool:
        """Whether steps are replayed."""
        return self._recorded is not None

    def run(self, count: int) -> None:
        """Make that many steps. Nothing waits for the device."""
        for _ in range(count):
            if self._recorded is not None:
                self._recorded.replay()
                continue
            if self._wanted and self._done >= self.WARM:
                self._record()
            if self._recorded is not None:
                self._recorded.replay()
            else:
                with self._aside():
                    self._step()
            self._done += 1

    def _aside(self) -> contextlib.AbstractContextManager[object]:
        """The stream that steps before a graph are made on: not the one that is the default."""
        if not self._wanted:
            return contextlib.nullcontext()
        return _on_stream(self._device)

    def _record(self) -> None:
        """Record a step. Recording runs nothing, so where it fails nothing is lost."""
        try:
            recorded = torch.cuda.CUDAGraph()
            with torch.cuda.graph(recorded):
                self._step()
            self._recorded = recorded
        except RuntimeError as error:
            self._wanted = False
            why = str(error).strip().splitlines()[0]
            self._say(f"no graph of a step can be recorded ({why}); each is launched by itself")


@contextlib.contextmanager
def _on_stream(device: torch.device) -> Iterator[None]:
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        yield
    torch.cuda.current_stream(device).wait_stream(side)
