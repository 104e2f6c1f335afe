"""Measure how local the first layer's mask is, compared with null masks."""

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

    The mask is True where effective weights are not zero. The measures are recorded after every
    epoch, and those of the nulls at the end as ``mask_nulls``. Positions are those of the run, so
    ``permuted_pixels`` applies here as well.
    """

    @classmethod
    def asked_by(cls, run: Run) -> MaskLocality | None:
        return cls() if run.mask_locality else None

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        pixels(shape)  # raises ValueError unless inputs are images

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
