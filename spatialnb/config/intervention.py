"""What can act on a run while it trains, besides the optimiser: one class, registered by name.

.. code-block:: python

    @register("clipping")
    @dataclass(frozen=True, kw_only=True)
    class Clipping(Intervention):
        norm: float = 1.0

        def before_step(self):
            torch.nn.utils.clip_grad_norm_(self.training.model.parameters(), self.norm)

``Run(interventions=(Clipping(norm=0.5),))`` trains with it. Its name and fields stand in the run's
id. Random numbers come from ``self.training.generator``, else no run is the same twice.
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
    """Something that acts while a network trains. Every hook does nothing unless it is overridden.

    Hooks are called in the order of this class.
    """

    def start_epoch(self, progress: float) -> None:
        """Called before each epoch; `progress` goes from 0 in the first to 1 in the last."""

    def augment(self, x: Tensor) -> Tensor:
        """Called with the inputs of every training batch (batch, features); gives what is used."""
        return x

    def penalty(self) -> Tensor:
        """A scalar that is added to the loss of every batch. Slower, as autograd takes it."""
        raise NotImplementedError

    def before_step(self) -> bool | None:
        """Called before each step of the optimiser, gradients in place; False leaves it out."""
        return None

    def after_step(self) -> None:
        """Called after each step of the optimiser, and after one that was left out."""

    def measure(self) -> dict[str, float]:
        """Numbers to record after each epoch, by name."""
        return {}

    def finish(self, outcome: dict[str, Any]) -> None:
        """Called at the end of a training that did not fail; adds to what is recorded."""

    def overrides(self, hook: str) -> bool:
        """Whether this part does anything at that hook."""
        return getattr(type(self), hook) is not getattr(Part, hook)


class Intervention(Part):
    """Base of interventions: frozen dataclasses, whose fields are their settings.

    The hooks read ``self.training``, a :class:`~spatialnb.training.context.Training`. What changes
    while the network trains belongs into a :class:`Part` of its own, which :meth:`begin` returns.
    """

    if TYPE_CHECKING:
        training: Training

    def check(self, run: Run) -> None:
        """Raise ValueError where the run has settings that this cannot be combined with."""

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        """Change the network of a run once it is initialised; `shape` is that of an input."""

    def begin(self, training: Training) -> Part:
        """The part that acts in this training; this very object, bound to it, unless overridden."""
        part = copy.copy(self)
        object.__setattr__(part, "training", training)
        return part


interventions: Registry[Intervention] = Registry(Intervention, "intervention")
"""Every intervention that is registered, by name."""
register = interventions.register
"""Class decorator: make one known by a name; see :class:`~spatialnb.registry.Registry`."""
