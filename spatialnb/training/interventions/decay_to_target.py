"""Decay toward a target: a penalty on the distance of the weights to a kernel. Log, v9."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Decay, Run
from spatialnb.priors.parametrization import DecayTarget
from spatialnb.training.context import Training


@dataclass(frozen=True, kw_only=True)
class DecayToTarget(Intervention):
    """Adds the penalty to every batch's loss, and measures the remaining distance."""

    decay: Decay

    @classmethod
    def asked_by(cls, run: Run) -> DecayToTarget | None:
        return None if run.decay is None else cls(decay=run.decay)

    def begin(self, training: Training) -> Part:
        decay = self.decay
        return _Decaying(
            DecayTarget(training.model, decay.target, decay.weight, bool(decay.keep_sign))
        )


class _Decaying(Part):
    def __init__(self, target: DecayTarget) -> None:
        self._target = target

    def penalty(self) -> Tensor:
        return self._target()

    def measure(self) -> dict[str, float]:
        return {"target_distance": self._target.distance()}
