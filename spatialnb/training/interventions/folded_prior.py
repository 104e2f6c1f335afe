"""The spatial prior folded into the optimiser, so that effective weights are trained directly."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.priors import folded_optimizer
from spatialnb.priors.folded_optimizer import Folded
from spatialnb.training.context import Training


@dataclass(frozen=True, kw_only=True)
class FoldedPrior(Intervention):
    """Applies some of the four effects of a multiplicative prior on training."""

    parts: tuple[str, ...]

    @classmethod
    def asked_by(cls, run: Run) -> FoldedPrior | None:
        return None if run.folded is None else cls(parts=run.folded)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        if "start" in self.parts:
            folded_optimizer.start(model, run.schedule.at(0.0))

    def begin(self, training: Training) -> Part:
        kernel = training.run.schedule.at(0.0)
        return _Folding(training, Folded(training.model, training.optimizer, kernel, self.parts))


class _Folding(Part):
    def __init__(self, training: Training, folded: Folded) -> None:
        self._schedule, self._folded = training.run.schedule, folded

    def start_epoch(self, progress: float) -> None:
        self._folded.set_kernel(self._schedule.at(progress))

    def before_step(self) -> None:
        self._folded.before_step()

    def after_step(self) -> None:
        self._folded.after_step()
