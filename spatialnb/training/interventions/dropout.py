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
    """Hidden units are left out at random while the network trains. Srivastava et al. 2014."""

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
    """Sets a share of its inputs to zero and scales the others by 1 / (1 - share).

    torch's own draws from the global generator. This one draws from `generator`, and only where
    gradients are recorded: whatever is measured sees the whole network.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (batch, units), of which some are left out."""
        if not torch.is_grad_enabled():
            return x
        left = torch.rand(x.shape, generator=self.generator).to(x.device) >= self.share
        return x * left / (1.0 - self.share)
