"""The spatial prior as a parametrization of the network's weights, updated before every epoch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.priors import parametrization
from spatialnb.priors.actions import CAPS
from spatialnb.priors.schedules import Static
from spatialnb.training import networks


@dataclass(frozen=True, kw_only=True)
class AttachedPrior(Intervention):
    """Attaches the run's prior, so that kernel values act on the learned weights."""

    @classmethod
    def asked_by(cls, run: Run) -> AttachedPrior | None:
        """None if the prior would change nothing, since multiplying by one is exact."""
        plain = run.action == "multiply" and run.schedule == Static()
        return None if plain or run.asymmetric or run.folded else cls()

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        layers = [name for name, _ in networks.prior_layers(model)]
        between = networks.distances(run, model, shape)
        parametrization.attach(
            model, run.schedule, action=run.action, layers=layers, distances=between
        )

    def start_epoch(self, progress: float) -> None:
        parametrization.step(self.training.model, self.training.run.schedule, progress)

    def measure(self) -> dict[str, float]:
        """With a cap as action, the fraction of learned weights beyond it."""
        if self.training.run.action not in CAPS:
            return {}
        return {"cap_share": parametrization.capped_share(self.training.model)}
