r"""Networks without permutation symmetry: some of each unit's weights are fixed, for all seeds.

$W_\text{eff} = M \circ W + (1 - M) \circ F$: in every row of a layer a random subset of the
entries ($M = 0$) is fixed at values $F$ from $N(0, \kappa^2)$ and never trained. Units differ in
these subsets and values, so no two units can be exchanged. Source: Lim et al. 2024, "W-asymmetric"
networks. Subsets and values come from a separate seed, so networks trained from different seeds
share them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run

SEED_OFFSET = 2**31
"""Keeps this seed stream apart from initialisation; torch takes 32 bits of a seed."""


class FixedPart(nn.Module):
    """Parametrization of a weight of which some entries are fixed.

    Parameters
    ----------
    mask : (out, in), True for fixed entries.
    values : (out, in), the values of the fixed entries.
    """

    mask: Tensor
    values: Tensor

    def __init__(self, mask: Tensor, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.register_buffer("values", values)

    def forward(self, weight: Tensor) -> Tensor:
        """Effective weight (out, in) of a learned weight (out, in)."""
        return torch.where(self.mask, self.values, weight)


@dataclass(frozen=True, kw_only=True)
class FixedWeights(Intervention):
    """Fixes some of every unit's weights before training."""

    asymmetric: Asymmetric

    @classmethod
    def asked_by(cls, run: Run) -> FixedWeights | None:
        return None if run.asymmetric is None else cls(asymmetric=run.asymmetric)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        fix(model, self.asymmetric)


def fix(model: nn.Module, asymmetric: Asymmetric) -> nn.Module:
    """Fix some weights of a model's linear layers, and return the model. Initialise it first.

    Raises
    ------
    ValueError : a weight is already parametrized.
    """
    generator = torch.Generator().manual_seed(SEED_OFFSET + asymmetric.seed)
    for name, layer in list(model.named_modules()):
        if not isinstance(layer, nn.Linear):
            continue
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"asymmetric: layer {name!r} already has a parametrized weight")
        weight = layer.weight
        inputs = weight.shape[1]
        draw = torch.rand(weight.shape, generator=generator)
        mask = torch.zeros(weight.shape, dtype=torch.bool)
        mask.scatter_(1, draw.argsort(dim=1)[:, : int(asymmetric.share * inputs)], True)
        kappa = asymmetric.scale * math.sqrt(2.0 / inputs)
        values = kappa * torch.randn(weight.shape, generator=generator)
        part = FixedPart(mask, values.to(weight.dtype)).to(weight.device)
        parametrize.register_parametrization(layer, "weight", part)
    return model
