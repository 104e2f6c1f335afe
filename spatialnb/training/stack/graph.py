"""The steps of an epoch, launched one by one, or recorded as a CUDA graph and replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch


class Steps:
    """Runs identical steps one after another.

    A step only reads and changes tensors, and the CPU reads none of its results. The first steps
    are ordinary training steps, and also serve as the warm-up that torch requires before recording
    a graph.

    Parameters
    ----------
    step : one step.
    device : the device of its tensors.
    graph : record the operations of one step, so that they need not be launched one by one.
    say : receives a sentence if recording fails; steps are then launched one by one.
    """

    WARM = 3
    """Number of steps before recording."""

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
        """Run `count` steps, without waiting for the device."""
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
        """The stream for steps before recording, which must not be the default stream."""
        if not self._wanted:
            return contextlib.nullcontext()
        return _on_stream(self._device)

    def _record(self) -> None:
        """Record a step. Recording executes nothing, so a failure loses nothing."""
        try:
            recorded = torch.cuda.CUDAGraph()
            with torch.cuda.graph(recorded):
                self._step()
            self._recorded = recorded
        except RuntimeError as error:
            self._wanted = False
            why = str(error).strip().splitlines()[0]
            self._say(f"a CUDA graph cannot be recorded ({why}); steps are launched one by one")


@contextlib.contextmanager
def _on_stream(device: torch.device) -> Iterator[None]:
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        yield
    torch.cuda.current_stream(device).wait_stream(side)
