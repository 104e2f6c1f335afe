"""Where the inputs are that the first layer's units keep: measured, against nulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.priors import mask_locality
from spatialnb.priors.geometry import pixels
from spatialnb.training import networks
from spatialnb.training.determinism import generator


@dataclass(frozen=True, kw_only=True)
class MaskLocality(Intervention):
    """Measures :mod:`spatialnb.priors.mask_locality` of the first layer's weights.

    The mask is where its effective weights are not zero. After every epoch the measures, by their
    names; at the end ``mask_nulls``, the nulls' by theirs. Places are those of the run:
    ``permuted_pixels`` permutes them here too.
    """

    @classmethod
    def asked_by(cls, run: Run) -> MaskLocality | None:
        return cls() if run.mask_locality else None

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        pixels(shape)  # raises where there are none

    def measure(self) -> dict[str, float]:
        training = self.training
        return mask_locality.locality(
            self._mask(), training.data.shape, training.run.permuted_pixels
        )

    def finish(self, outcome: dict[str, Any]) -> None:
        training = self.training
        outcome["final"]["mask_nulls"] = mask_locality.nulls(
            self._mask(),
            training.data.shape,
            generator(training.run.seed, "mask nulls"),
            training.run.permuted_pixels,
        )

    def _mask(self) -> Tensor:
        first = networks.linear_layers(self.training.model)[0][1]
        return first.weight.detach() != 0.0
