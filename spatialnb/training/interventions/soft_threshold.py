"""ST-3: a rising soft threshold with straight-through gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spatialnb.config.intervention import Part
from spatialnb.priors.parametrization import learned_weight
from spatialnb.training import networks
from spatialnb.training.context import Training
from spatialnb.training.sparse_optimizers import RIGL_UNTIL

EVERY = 10
"""Steps between updates of the threshold; the paper's code updates it in every step."""


class SoftThreshold(nn.Module):
    r"""$\tilde W = c\, \mathrm{sign}(W) \max(|W| - t, 0)$, with the gradient of $W$.

    All weights are trained, including those at zero, and the map is continuous. The scale c of a
    row compensates for the magnitude lost to zeros: $c = 1.01 / (s + 0.01)$, where s is the
    fraction of the row's summed magnitude in the remaining weights. t and c are set by
    :meth:`raise_to`, and stay until it is called again. Vanderschueren and De Vleeschouwer 2023.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("scale", torch.ones(len(weight), 1))

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight (out, in) of a learned weight."""
        with torch.no_grad():
            soft = self.scale * weight.sign() * (weight.abs() - self.threshold).clamp(min=0.0)
        return soft + (weight - weight.detach())  # adds zero, but passes the gradient

    @torch.no_grad()
    def raise_to(self, weight: Tensor, left: int) -> None:
        """Set the threshold so that the `left` largest weights remain non-zero."""
        size = weight.abs()
        if left >= size.numel():
            return
        self.threshold = size.flatten().topk(left + 1, sorted=False).values.min()
        share = (size * (size > self.threshold)).sum(dim=1) / size.sum(dim=1)
        self.scale = (1.01 / (share + 0.01))[:, None]


def prepare(layers: Sequence[nn.Linear]) -> None:
    """Give these layers a soft threshold of zero."""
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", SoftThreshold(layer.weight))


class RisingThreshold(Part):
    r"""Raises the threshold so that $n_0 + (n_1 - n_0) (1 - (1 - t / 0.75 S)^3)$ weights remain.

    t is the step of S, $n_0$ the number of all weights of the layer, and $n_1$ the number that
    remain at the end. After 75 % of training, $n_1$ remain, but which ones may still change.

    Parameters
    ----------
    training : the run; :func:`prepare` has been called for its network.
    left : the number of weights that remain in each of these layers at the end.
    """

    def __init__(self, training: Training, left: Sequence[int]) -> None:
        layers = networks.linear_layers(training.model)[: len(left)]
        self._parts = [(_threshold(layer), learned_weight(layer)) for _, layer in layers]
        self._left, self._steps = list(left), training.steps
        self._model, self._done = training.model, 0

    def after_step(self) -> None:
        self._done += 1
        if self._done % EVERY and self._done != self._steps:
            return
        at = min(self._done / (RIGL_UNTIL * self._steps), 1.0)
        for (part, weight), left in zip(self._parts, self._left, strict=True):
            part.raise_to(weight, round(left + (weight.numel() - left) * (1.0 - at) ** 3))

    def finish(self, outcome: dict[str, object]) -> None:
        final = outcome["final"]
        assert isinstance(final, dict)
        final["zeros"] = networks.zeros(self._model)


def _threshold(layer: nn.Linear) -> SoftThreshold:
    part = layer.parametrizations["weight"][0]  # type: ignore[index]
    assert isinstance(part, SoftThreshold)
    return part
