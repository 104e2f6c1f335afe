"""Multilayer perceptrons in a stack: explicit losses and gradients, as in the loop.

The formulas are those of :mod:`spatialnb.training.backprop`, for R runs of S seeds together. All
runs of a seed share their inputs, so the first layer is one wide product per seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spatialnb.training.stack.adam import Slot

_aten: Any = torch.ops.aten
_EACH, _IGNORE = 0, -100  # the arguments with which cross_entropy calls the underlying operations


class WrittenOut:
    """The networks of a stack.

    Parameters
    ----------
    layers : the layers' names, first to last.
    learned : weights (R, out, in) and biases (R, out) by name.
    strengths : kernel values of each layer (R, out, in), or an empty sequence.
    seeds : the number of seeds, S; the R / S runs of each seed are adjacent.
    """

    def __init__(
        self,
        layers: Sequence[str],
        learned: Mapping[str, Tensor],
        strengths: Sequence[Tensor],
        seeds: int,
    ) -> None:
        weights = [learned[f"{name}.weight"] for name in layers]
        biases = [learned[f"{name}.bias"] for name in layers]
        self._seeds, self._runs = seeds, len(weights[0])
        values: Sequence[Tensor | None] = list(strengths) or [None] * len(weights)
        self._weights = [
            Slot(
                weight=weight,
                gradient=torch.zeros_like(weight),
                strength=strength,
                effective=None if strength is None else torch.empty_like(weight),
            )
            for weight, strength in zip(weights, values, strict=True)
        ]
        self._biases = [Slot(weight=bias, gradient=torch.zeros_like(bias)) for bias in biases]
        self.slots = [*self._weights, *self._biases]
        names = [f"{layer}.{kind}" for kind in ("weight", "bias") for layer in layers]
        self.named = dict(zip(names, self.slots, strict=True))

    def losses_and_gradients(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean losses (R,) of a batch (S, b, features) with labels (S, b); stores the gradients."""
        inputs: list[Tensor] = []
        for depth, bias in enumerate(self._biases):
            inputs.append(x)
            x = self._first(x, bias) if depth == 0 else self._next(x, depth)
            if depth + 1 < len(self._biases):
                x = torch.relu_(x)
        losses, gradient = self._loss(x, y)
        for depth in reversed(range(len(inputs))):
            torch.sum(gradient, 1, out=self._biases[depth].gradient)
            into = self._weights[depth].gradient
            if depth == 0:
                self._first_gradient(gradient, inputs[0], into)
                break
            torch.bmm(gradient.transpose(1, 2), inputs[depth], out=into)
            gradient = torch.bmm(gradient, self._effective(depth))
            gradient = _aten.threshold_backward(gradient, inputs[depth], 0.0)
        return losses

    def logits(self, x: Tensor) -> Tensor:
        """Logits (R, b, classes) of inputs (b, features) shared by all runs."""
        every = self._effective(0)
        out = torch.addmm(self._biases[0].weight.flatten(), x, every.flatten(0, 1).t())
        x = out.view(len(out), self._runs, -1).transpose(0, 1)
        for depth in range(1, len(self._biases)):
            x = self._next(torch.relu_(x), depth)
        return x

    def measure(self) -> dict[str, Tensor]:
        """Measurements besides loss and accuracy: none for these networks."""
        return {}

    def _effective(self, depth: int) -> Tensor:
        slot = self._weights[depth]
        return slot.weight if slot.effective is None else slot.effective

    def _first(self, x: Tensor, bias: Slot) -> Tensor:
        """Pre-activations (R, b, out) of the first layer for inputs (S, b, features)."""
        seeds, batch, features = x.shape
        wide = self._effective(0).view(seeds, -1, features)
        out = torch.baddbmm(bias.weight.view(seeds, 1, -1), x, wide.transpose(1, 2))
        by_run = out.view(seeds, batch, self._runs // seeds, -1).transpose(1, 2)
        return by_run.reshape(self._runs, batch, -1)

    def _next(self, x: Tensor, depth: int) -> Tensor:
        """Pre-activations of a later layer for inputs (R, b, in)."""
        bias = self._biases[depth].weight[:, None]
        return torch.baddbmm(bias, x, self._effective(depth).transpose(1, 2))

    def _first_gradient(self, gradient: Tensor, x: Tensor, into: Tensor) -> None:
        """The gradient of the first layer's weights from output gradients (R, b, out)."""
        seeds, batch, features = x.shape
        by_seed = gradient.view(seeds, -1, *gradient.shape[1:])
        wide = by_seed.permute(0, 1, 3, 2).reshape(seeds, -1, batch)
        torch.bmm(wide, x, out=into.view(seeds, -1, features))

    def _loss(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean losses (R,), and their gradient with respect to the logits (R, b, classes)."""
        runs, batch, classes = logits.shape
        labels = y[:, None].expand(-1, runs // len(y), -1).reshape(-1)
        logs = _aten._log_softmax(logits.reshape(-1, classes), 1, False)
        losses, count = _aten.nll_loss_forward(logs, labels, None, _EACH, _IGNORE)
        each = torch.full_like(losses, 1.0 / batch)
        gradient = _aten.nll_loss_backward(each, logs, labels, None, _EACH, _IGNORE, count)
        gradient = _aten._log_softmax_backward_data(gradient, logs, 1, logits.dtype)
        return losses.view(runs, batch).mean(dim=1), gradient.view(logits.shape)
