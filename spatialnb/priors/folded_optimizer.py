r"""A multiplicative prior folded into the optimiser, which trains the effective weights directly.

If all kernel values are $K > 0$, the map $W \mapsto W_\text{eff} = K \circ W$ is invertible. A
prior then changes neither the functions a network can represent nor its loss, but four things about
training:

- ``start``: the initial weights are $K \circ W_0$.
- ``gradient``: the optimiser receives $\partial L / \partial W = K \circ g$, where g is
  $\partial L / \partial W_\text{eff}$.
- ``update``: its step $\Delta W$ changes the effective weights by $K \circ \Delta W$.
- ``shrink``: when K changes, the weights are multiplied by $K_\text{new} / K_\text{old}$.

All four together are equivalent to training with the prior attached. SGD takes the steps
$-\eta K^2 \circ g$: ``gradient`` and ``update`` each contribute a factor K. Adam cancels the
gradient's factor, so that its effective learning rate is $\eta K$, from ``update`` alone;
``gradient`` changes $\varepsilon$ into $\varepsilon / K$ and, when K changes, leaves the moments
scaled by the earlier kernel values. Chapter c1 has the derivation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spatialnb.priors.actions import PARTS as PARTS
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Kernel
from spatialnb.registry import unknown


def start(model: nn.Module, kernel: Kernel) -> None:
    r"""Set the initial weights to $K \circ W_0$: multiply each linear layer by its kernel values.

    Raises
    ------
    ValueError : as for :class:`Folded`.
    """
    weights = _weights(model)
    _multiply(weights, _strengths(weights, kernel))


class Folded:
    r"""An optimiser with a multiplicative prior folded in. It replaces ``attach`` and ``step``.

    Parameters
    ----------
    model : a model with plain linear layers; their weights are the effective weights. The part
        ``start`` is not applied here: call :func:`start` before training.
    optimizer : an optimiser of the model's parameters whose steps depend only on gradients: Adam,
        or SGD with or without momentum. Its weight decay acts on $W_\text{eff}$, not on W.
    kernel : the initial kernel.
    parts : some of :data:`spatialnb.priors.actions.PARTS`; all of them together are equivalent to
        training with the prior.

    Raises
    ------
    ValueError : an unknown part, no linear layer, a parametrized weight, or a kernel value that is
        not above 0 (at 0 the map is not invertible).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        kernel: Kernel,
        parts: Sequence[str] = PARTS,
    ) -> None:
        for part in parts:
            if part not in PARTS:
                raise ValueError(unknown("part of folded", part, dict.fromkeys(PARTS)))
        self.parts = frozenset(parts)
        self.optimizer = optimizer
        self._weights = _weights(model)
        self._strengths = _strengths(self._weights, kernel)
        self._before: list[Tensor] = []

    def set_kernel(self, kernel: Kernel) -> None:
        """Continue with the values of another kernel."""
        new = _strengths(self._weights, kernel)
        if "shrink" in self.parts:
            pairs = zip(new, self._strengths, strict=True)
            _multiply(self._weights, [after / before for after, before in pairs])
        self._strengths = new

    @torch.no_grad()
    def before_step(self) -> None:
        """Apply the prior's effect to the gradients of the effective weights."""
        if "gradient" in self.parts:
            for weight, strength in zip(self._weights, self._strengths, strict=True):
                if weight.grad is not None:
                    weight.grad.mul_(strength)
        self._before = (
            [weight.clone() for weight in self._weights] if "update" in self.parts else []
        )

    @torch.no_grad()
    def after_step(self) -> None:
        """Apply the prior's effect to the step that the optimiser has taken."""
        for weight, old, strength in zip(
            self._weights, self._before, self._strengths, strict=False
        ):
            weight.copy_(torch.lerp(old, weight, strength))

    def step(self) -> None:
        """One step of the optimiser, from the gradients of the effective weights."""
        self.before_step()
        self.optimizer.step()
        self.after_step()


@torch.no_grad()
def _multiply(weights: Sequence[Tensor], factors: Sequence[Tensor]) -> None:
    for weight, factor in zip(weights, factors, strict=True):
        weight.mul_(factor)


def _strengths(weights: Sequence[Tensor], kernel: Kernel) -> list[Tensor]:
    found = [kernel.strength(layer_distance(*weight.shape)) for weight in weights]
    if any(bool((strength <= 0.0).any()) for strength in found):
        raise ValueError(
            f"{kernel.label()} has kernel values that are not above 0, but a prior can be folded "
            "only if all are positive; give the kernel a floor above 0"
        )
    pairs = zip(found, weights, strict=True)
    return [strength.to(weight.device, weight.dtype) for strength, weight in pairs]


def _weights(model: nn.Module) -> list[Tensor]:
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no nn.Linear layer")
    for name, layer in layers:
        if nn.utils.parametrize.is_parametrized(layer, "weight"):
            raise ValueError(
                f"layer {name!r} has a parametrized weight; use a plain model, or call "
                "remove(model) first"
            )
    return [layer.weight for _, layer in layers]
