"""Dropout after every activation of a multilayer perceptron, from the run's own random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spatialnb.config.intervention import Intervention, Part
from spatialnb.config.run import Run
from spatialnb.training.context import Training


@dataclass(frozen=True, kw_only=True)
class Dropout(Intervention):
    """Drops hidden units at random during training. Srivastava et al. 2014."""

    share: float

    @classmethod
    def asked_by(cls, run: Run) -> Dropout | None:
        return None if run.dropout is None else cls(share=run.dropout)

    def prepare(self, model: nn.Module, run: Run, shape: tuple[int, ...]) -> None:
        for name, part in list(model.named_children()):
            if not isinstance(part, nn.Linear):
                setattr(model, name, nn.Sequential(part, SeededDropout(self.share)))

    def begin(self, training: Training) -> Part:
        for part in training.model.modules():
            if isinstance(part, SeededDropout):
                part.generator = training.generator
        return Part()


class SeededDropout(nn.Module):
    """Sets a fraction of its inputs to zero, and scales the others by 1 / (1 - share).

    Unlike torch's dropout, which draws from the global generator, this one draws from `generator`.
    It acts only when gradients are recorded, so that evaluation uses the whole network.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Apply dropout to inputs (batch, units)."""
        if not torch.is_grad_enabled():
            return x
        left = torch.rand(x.shape, generator=self.generator).to(x.device) >= self.share
        return x * left / (1.0 - self.share)
