"""Interventions: anything that acts on training besides the optimiser; a class with a name.

.. code-block:: python

    @register("clipping")
    @dataclass(frozen=True, kw_only=True)
    class Clipping(Intervention):
        norm: float = 1.0

        def before_step(self):
            torch.nn.utils.clip_grad_norm_(self.training.model.parameters(), self.norm)

``Run(interventions=(Clipping(norm=0.5),))`` trains with it. Its name and fields are part of the
run's id. Draw random numbers from ``self.training.generator``; otherwise runs are not reproducible.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from spatialnb.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spatialnb.config.run import Run
    from spatialnb.training.context import Training


class Part:
    """Base class for anything that acts during training. Hooks do nothing unless overridden.

    They are called in the order in which this class defines them.
    """

    def start_epoch(self, progress: float) -> None:
        """Called before each epoch; `progress` goes from 0 in the first to 1 in the last."""

    def augment(self, x: Tensor) -> Tensor:
        """Called with the inputs of every training batch (batch, features); returns new inputs."""
        return x

    def penalty(self) -> Tensor:
        """A scalar added to the loss of every batch. Slower, because it goes through autograd."""
        raise NotImplementedError

    def before_step(self) -> bool | None:
        """Called before each optimiser step, after backward; return False to skip the step."""
        return None

    def after_step(self) -> None:
        """Called after each optimiser step, including a skipped one."""

    def measure(self) -> dict[str, float]:
        """Numbers to record after each epoch, by name."""
        return {}

    def finish(self, outcome: dict[str, Any]) -> None:
        """Called at the end of training, unless it failed; adds results to the record."""

    def overrides(self, hook: str) -> bool:
        """Whether this part overrides the hook."""
        return getattr(type(self), hook) is not getattr(Part, hook)


class Intervention(Part):
    """Base class of interventions: frozen dataclasses whose fields are their settings.

    The hooks read ``self.training``, a :class:`~spatialnb.training.context.Training`. State that
    changes during training belongs in a separate :class:`Part`, which :meth:`begin` returns.
    """

    if TYPE_CHECKING:
        training: Training

    def check(self, run: Run) -> None:
        """Raise ValueError if this cannot be combined with other settings of the run."""

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        """Change the run's network after initialisation; `shape` is that of an input."""

    def begin(self, training: Training) -> Part:
        """The part that acts in this training; by default a copy of this object bound to it."""
        part = copy.copy(self)
        object.__setattr__(part, "training", training)
        return part


interventions: Registry[Intervention] = Registry(Intervention, "intervention")
"""All registered interventions, by name."""
register = interventions.register
"""Class decorator: register an intervention; see :class:`~spatialnb.registry.Registry`."""
