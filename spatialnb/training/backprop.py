r"""Loss and gradients of one batch: written out for a multilayer perceptron, autograd's else.

With inputs $x_l$, effective weights $V_l = W_l \circ K_l$, $x_{l+1} = \mathrm{relu}(x_l V_l^\top +
b_l)$, and $G_l$ the gradient of the loss by what layer $l$ gives before its ReLU:

.. math::
    \partial b_l = \textstyle\sum_\text{batch} G_l, \quad
    \partial W_l = K_l \circ (G_l^\top x_l), \quad
    G_{l-1} = (G_l V_l) \circ [x_l > 0].

These are autograd's own operations, so the bits are the same; what is saved is its bookkeeping, and
new memory at every step. Source: Rumelhart, Hinton and Williams 1986.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize

from spatialnb.priors import parametrization

LossAndGradients = Callable[[Tensor, Tensor], Tensor]
"""From inputs (batch, features) and labels (batch,) to the mean cross-entropy, a scalar without a
graph. Leaves the gradients in ``.grad`` of the network's parameters, in place of earlier ones."""

_aten: Any = torch.ops.aten
_MEAN, _IGNORE = 1, -100  # how cross_entropy itself calls the operations below it


def loss_and_gradients(
    model: nn.Module,
    penalties: Sequence[Callable[[], Tensor]] = (),
    label_smoothing: float = 0.0,
) -> LossAndGradients:
    """Loss and gradients of a network, in the fastest way that is known for it.

    Parameters
    ----------
    model : gives logits (batch, classes).
    penalties : scalars whose gradients are added; the loss that is returned leaves them out.
    label_smoothing : share of the target that is spread evenly over the classes; the loss that is
        returned is that of the labels themselves.
    """
    if not penalties and not label_smoothing and is_plain(model):
        return WrittenOut(model)

    def by_autograd(x: Tensor, y: Tensor) -> Tensor:
        logits = model(x)
        loss = cross_entropy(logits, y, label_smoothing=label_smoothing)
        model.zero_grad()
        sum([penalty() for penalty in penalties], loss).backward()  # type: ignore[no-untyped-call]
        return cross_entropy(logits.detach(), y) if label_smoothing else loss.detach()

    return by_autograd


def is_plain(model: nn.Module) -> bool:
    """Whether a network is linear layers with ReLU between, under priors that multiply or none."""
    if type(model) is not nn.Sequential:
        return False
    parts = list(model)
    kinds = [nn.Linear if place % 2 == 0 else nn.ReLU for place in range(len(parts))]
    return (
        len(parts) % 2 == 1
        and all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True))
        and all(_is_plain(part) for part in parts if isinstance(part, nn.Linear))
        and all(parameter.requires_grad for parameter in model.parameters())
    )


class WrittenOut:
    """Loss and gradients of a network that :func:`is_plain`, as the module's text says."""

    def __init__(self, model: nn.Module) -> None:
        self._layers = [_layer(part) for part in model.modules() if isinstance(part, nn.Linear)]

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean cross-entropy of a batch; the gradients stand in ``.grad`` afterwards."""
        inputs: list[Tensor] = []
        for layer in self._layers:
            if layer.strength is not None:
                torch.mul(layer.weight, layer.strength, out=layer.effective)
            inputs.append(torch.relu_(x) if inputs else x)
            x = torch.addmm(layer.bias, inputs[-1], layer.effective.t())
        loss, gradient = _loss(x, y)
        for depth in reversed(range(len(inputs))):
            layer = self._layers[depth]
            torch.sum(gradient, 0, out=layer.bias.grad)
            torch.mm(gradient.t(), inputs[depth], out=layer.weight.grad)
            if layer.strength is not None:
                layer.weight.grad.mul_(layer.strength)
            if depth > 0:
                gradient = torch.mm(gradient, layer.effective)
                gradient = _aten.threshold_backward(gradient, inputs[depth], 0.0)
        return loss


class _Layer(NamedTuple):
    """What acts in one layer: tensors that are the network's own, and room for the product."""

    weight: Any  # the learned one, a parameter
    bias: Any
    strength: Tensor | None
    effective: Tensor


def _layer(layer: nn.Linear) -> _Layer:
    learned = parametrization.learned_weight(layer)
    for parameter in (learned, layer.bias):
        parameter.grad = torch.zeros_like(parameter)
    if learned is layer.weight:
        return _Layer(learned, layer.bias, None, learned.detach())
    strength = dict(parametrization.spatial_priors(layer))[layer].strength
    return _Layer(learned, layer.bias, strength, torch.empty_like(strength))


def _is_plain(layer: nn.Linear) -> bool:
    """Whether there is a bias, and the weight is learned itself or multiplied by strengths."""
    if layer.bias is None or not parametrize.is_parametrized(layer):
        return layer.bias is not None
    parts: Any = layer.parametrizations
    return (
        [(name, len(acting)) for name, acting in parts.items()] == [("weight", 1)]
        and isinstance(parts["weight"][0], parametrization.SpatialPrior)
        and parts["weight"][0].action_name == "multiply"
    )


def _loss(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy, and its gradient by the logits, without autograd's graph."""
    logs = _aten._log_softmax(logits, 1, False)
    loss, count = _aten.nll_loss_forward(logs, y, None, _MEAN, _IGNORE)
    one = torch.ones_like(loss)
    gradient = _aten.nll_loss_backward(one, logs, y, None, _MEAN, _IGNORE, count)
    return loss, _aten._log_softmax_backward_data(gradient, logs, 1, logits.dtype)
