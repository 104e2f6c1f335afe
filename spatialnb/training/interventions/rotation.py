"""How far weight vectors turn, how long they are, and how many weights change their sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.training import networks
from spatialnb.training.context import Training


@dataclass(frozen=True, kw_only=True)
class Rotation(Intervention):
    r"""Measures, after every epoch, how the effective weights of each linear layer have moved.

    A unit's weight vector is a row of the layer's effective weight (out, in). Recorded by layer,
    as means over its units or weights:

    - ``angle``: between a unit's vector before and after the epoch, in degrees;
    - ``angle_from_start``: between its first vector and this one;
    - ``norm``: of the vectors;
    - ``sign_flips``: the share of weights with another sign than before the epoch.

    Sources: Kosson, Messmer and Jaggi 2023 for angles as what weight decay sets; Carbonnelle and
    De Vleeschouwer 2019 for the rotation of layers.
    """

    @classmethod
    def asked_by(cls, run: Run) -> Rotation | None:
        return cls() if run.rotation else None

    def begin(self, training: Training) -> Part:
        return _Measured(training)


class _Measured(Part):
    def __init__(self, training: Training) -> None:
        self._model = training.model
        self._first = networks.effective_weights(self._model)
        self._before = self._first

    def measure(self) -> dict[str, float]:
        now = networks.effective_weights(self._model)
        found: dict[str, float] = {}
        for layer, weight in now.items():
            before = self._before[layer]
            found[f"angle:{layer}"] = angle(before, weight)
            found[f"angle_from_start:{layer}"] = angle(self._first[layer], weight)
            found[f"norm:{layer}"] = float(weight.norm(dim=1).mean())
            flipped = (before.sign() != weight.sign()).double().mean()
            found[f"sign_flips:{layer}"] = float(flipped)
        self._before = now
        return found


def angle(before: Tensor, after: Tensor) -> float:
    """Mean angle between the rows of two weights (out, in), in degrees, 0 to 180.

    A row of zeros is at 90 degrees to any other.
    """
    cosine = cosine_similarity(before.double(), after.double(), dim=1, eps=1e-300)
    return float(torch.rad2deg(cosine.clamp(-1.0, 1.0).arccos()).mean())
