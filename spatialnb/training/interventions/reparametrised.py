"""Reparametrisations other than the prior: weight normalisation, learned scalar, compander."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Averaged, Exponential
from spatialnb.training import networks

BEND = 3.0
"""Where a weight compander starts to bend, in units of 1 / sqrt(fan in); as soft caps do."""


@dataclass(frozen=True, kw_only=True)
class Reparametrised(Intervention):
    r"""Reparametrises the weight of every linear layer.

    ``weight_norm``: $W = g\, V / \lVert V \rVert$ by row, with learned g and V (torch's version).
    It starts at the initial weights. Salimans and Kingma 2016.

    ``learned_scalar``: $W = s V$ with one learned scalar s per layer, initialised at the mean of
    the exponential kernel, which is the value of the corresponding fixed scalar.

    ``weight_compander``: $W = a \arctan(V / b)$ with a and b learned per layer. It limits large
    weights smoothly. Cakaj, Mehnert and Yang 2023; both start at $3 / \sqrt{\text{fan in}}$, our
    choice, where small weights are unchanged.
    """

    kind: str

    @classmethod
    def asked_by(cls, run: Run) -> Reparametrised | None:
        return None if run.reparametrisation is None else cls(kind=run.reparametrisation)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        for _, layer in networks.linear_layers(model):
            if self.kind == "weight_norm":
                parametrizations.weight_norm(layer, dim=0)
            elif self.kind == "weight_compander":
                bend = BEND / math.sqrt(layer.weight.shape[1])
                parametrize.register_parametrization(layer, "weight", WeightCompander(bend))
            else:
                kernel = Averaged(kernel=Exponential()).strength(
                    layer_distance(*layer.weight.shape)
                )
                parametrize.register_parametrization(
                    layer, "weight", LearnedScalar(float(kernel[0, 0]))
                )


class LearnedScalar(nn.Module):
    r"""$s V$ with a learned scalar s, initialised at `start`."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.tensor(start))

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight (out, in) of a learned weight."""
        return self.scalar * weight


class WeightCompander(nn.Module):
    r"""$a \arctan(V / b)$ with learned a and b, both initialised at `bend`."""

    def __init__(self, bend: float) -> None:
        super().__init__()
        self.height = nn.Parameter(torch.tensor(bend))
        self.width = nn.Parameter(torch.tensor(bend))

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight (out, in) of a learned weight."""
        return self.height * torch.atan(weight / self.width)
