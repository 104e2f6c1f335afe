"""Measure the rotation and norm of weight vectors, and the fraction of sign changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.nn.utils import parametrize

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.training import networks
from spatialnb.training.context import Training


@dataclass(frozen=True, kw_only=True)
class Rotation(Intervention):
    r"""Measures, after every epoch, how the weights of each linear layer have moved.

    A unit's weight vector is a row of the layer's weight (out, in). Recorded by layer, as means
    over its units or weights:

    - ``angle``: between a unit's vector before and after the epoch, in degrees;
    - ``angle_from_start``: between its initial and its current vector;
    - ``norm``: of the vectors;
    - ``sign_flips``: the fraction of weights that changed sign during the epoch.

    These are recorded for the effective weights and, with the prefix ``learned_``, for the learned
    weights (with weight normalisation, the direction V). Without a prior the two are equal.

    Sources: Kosson, Messmer and Jaggi 2023 on rotation as the effect of weight decay; Carbonnelle
    and De Vleeschouwer 2019 on the rotation of layers.
    """

    effective: bool
    learned: bool

    @classmethod
    def asked_by(cls, run: Run) -> Rotation | None:
        effective, learned = bool(run.rotation), bool(run.learned_rotation)
        return cls(effective=effective, learned=learned) if effective or learned else None

    def begin(self, training: Training) -> Part:
        measured = []
        if self.effective:
            measured.append(_Measured("", training.model, networks.effective_weights))
        if self.learned:
            measured.append(_Measured("learned_", training.model, learned_weights))
        return _Together(measured)


class _Together(Part):
    def __init__(self, parts: Sequence[_Measured]) -> None:
        self._parts = parts

    def measure(self) -> dict[str, float]:
        return {name: value for part in self._parts for name, value in part.measure().items()}


class _Measured:
    """Tracks the effective or the learned weights of a network, by layer."""

    def __init__(
        self, prefix: str, model: nn.Module, weights: Callable[[nn.Module], dict[str, Tensor]]
    ) -> None:
        self._prefix, self._model, self._weights = prefix, model, weights
        self._first = weights(model)
        self._before = self._first

    def measure(self) -> dict[str, float]:
        now, prefix = self._weights(self._model), self._prefix
        found: dict[str, float] = {}
        for layer, weight in now.items():
            before = self._before[layer]
            found[f"{prefix}angle:{layer}"] = angle(before, weight)
            found[f"{prefix}angle_from_start:{layer}"] = angle(self._first[layer], weight)
            found[f"{prefix}norm:{layer}"] = float(weight.norm(dim=1).mean())
            flipped = (before.sign() != weight.sign()).double().mean()
            found[f"{prefix}sign_flips:{layer}"] = float(flipped)
        self._before = now
        return found


def learned_weights(model: nn.Module) -> dict[str, Tensor]:
    """The learned weights (out, in) of linear layers, by name; with weight normalisation, V."""
    return {name: _learned(layer).detach().clone() for name, layer in networks.linear_layers(model)}


def _learned(layer: nn.Linear) -> Tensor:
    if not parametrize.is_parametrized(layer, "weight"):
        return layer.weight
    parts: Any = layer.parametrizations
    weight = parts["weight"]
    found: Tensor = weight.original if weight.is_tensor else weight.original1
    return found


def angle(before: Tensor, after: Tensor) -> float:
    """Mean angle between the rows of two weights (out, in), in degrees, 0 to 180.

    A row of zeros counts as 90 degrees from any other.
    """
    cosine = cosine_similarity(before.double(), after.double(), dim=1, eps=1e-300)
    return float(torch.rad2deg(cosine.clamp(-1.0, 1.0).arccos()).mean())
