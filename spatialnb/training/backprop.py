r"""Loss and gradients of one batch: explicit for multilayer perceptrons, by autograd otherwise.

With inputs $x_l$, effective weights $V_l = W_l \circ K_l$, $x_{l+1} = \mathrm{relu}(x_l V_l^\top +
b_l)$, and $G_l$ the gradient of the loss with respect to the pre-activations of layer $l$:

.. math::
    \partial b_l = \textstyle\sum_\text{batch} G_l, \quad
    \partial W_l = K_l \circ (G_l^\top x_l), \quad
    G_{l-1} = (G_l V_l) \circ [x_l > 0].

These are the same operations as autograd's, so the results are bit-identical; they save autograd's
overhead and memory allocation in every step. Source: Rumelhart, Hinton and Williams 1986.
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
"""From inputs (batch, features) and labels (batch,) to the mean cross-entropy, a detached scalar.
Writes the gradients to ``.grad`` of the network's parameters, replacing earlier ones."""

_aten: Any = torch.ops.aten
_MEAN, _IGNORE = 1, -100  # the arguments with which cross_entropy calls the underlying operations


def loss_and_gradients(
    model: nn.Module,
    penalties: Sequence[Callable[[], Tensor]] = (),
    label_smoothing: float = 0.0,
) -> LossAndGradients:
    """A function for the loss and gradients of a network, explicit if possible.

    Parameters
    ----------
    model : returns logits (batch, classes).
    penalties : scalars whose gradients are added; the returned loss does not include them.
    label_smoothing : fraction of the target spread evenly over the classes; the returned loss is
        that of the unsmoothed labels.
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
    """Whether a network consists of linear layers with ReLU, with multiplicative priors or none."""
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
    """Explicit loss and gradients of a network that :func:`is_plain`; formulas see the module."""

    def __init__(self, model: nn.Module) -> None:
        self._layers = [_layer(part) for part in model.modules() if isinstance(part, nn.Linear)]

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean cross-entropy of a batch; writes the gradients to ``.grad``."""
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
    """The tensors of one layer, shared with the network, and a buffer for the effective weight."""

    weight: Any  # the learned weight, a parameter
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
    """Whether there is a bias, and the weight is plain or multiplied by kernel values."""
    if layer.bias is None or not parametrize.is_parametrized(layer):
        return layer.bias is not None
    parts: Any = layer.parametrizations
    return (
        [(name, len(acting)) for name, acting in parts.items()] == [("weight", 1)]
        and isinstance(parts["weight"][0], parametrization.SpatialPrior)
        and parts["weight"][0].action_name == "multiply"
    )


def _loss(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and its gradient with respect to the logits, without autograd."""
    logs = _aten._log_softmax(logits, 1, False)
    loss, count = _aten.nll_loss_forward(logs, y, None, _MEAN, _IGNORE)
    one = torch.ones_like(loss)
    gradient = _aten.nll_loss_backward(one, logs, y, None, _MEAN, _IGNORE, count)
    return loss, _aten._log_softmax_backward_data(gradient, logs, 1, logits.dtype)
