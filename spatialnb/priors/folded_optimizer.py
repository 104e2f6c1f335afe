r"""A multiplicative prior folded into the optimiser: the effective weights trained themselves.

With strengths $K > 0$ the map $W \mapsto W_\text{eff} = K \circ W$ is one to one, so a prior
leaves the functions of a network and its loss as they are, and changes four things about training:

- ``start``: the weights begin at $K \circ W_0$.
- ``gradient``: the optimiser sees $\partial L / \partial W = K \circ g$, where g is
  $\partial L / \partial W_\text{eff}$.
- ``update``: its step $\Delta W$ moves the effective weights by $K \circ \Delta W$.
- ``shrink``: when K moves, the weights are multiplied by $K_\text{new} / K_\text{old}$.

All four together are training with the prior attached. SGD takes the steps $-\eta K^2 \circ g$:
``gradient`` and ``update`` give a factor K each. Adam divides the gradient's factor out again, so
that its learning rate is $\eta K$ by ``update`` alone; ``gradient`` makes $\varepsilon$ into
$\varepsilon / K$ and, where K moves, leaves the moments at the size that the strengths before gave
them. Chapter c1 derives it.
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
    r"""Begin at $K \circ W_0$: multiply the weights of the linear layers by their strengths.

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
    model : its linear layers are plain, and their weights are the effective ones. For the part
        ``start`` call :func:`start` before; it is over when training begins.
    optimizer : of the model's parameters, and one whose steps depend on gradients alone: Adam, or
        SGD with or without momentum. Weight decay is of $W_\text{eff}$, not of W.
    kernel : the strengths to begin with.
    parts : some of :data:`spatialnb.priors.actions.PARTS`; all of them are training with the prior.

    Raises
    ------
    ValueError : an unknown part, no linear layer, a parametrized weight, or a strength that is not
        above 0: at 0 the map is not one to one.
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
        """Go on with the values of another kernel."""
        new = _strengths(self._weights, kernel)
        if "shrink" in self.parts:
            pairs = zip(new, self._strengths, strict=True)
            _multiply(self._weights, [after / before for after, before in pairs])
        self._strengths = new

    @torch.no_grad()
    def before_step(self) -> None:
        """What the prior does to the gradients of the effective weights."""
        if "gradient" in self.parts:
            for weight, strength in zip(self._weights, self._strengths, strict=True):
                if weight.grad is not None:
                    weight.grad.mul_(strength)
        self._before = (
            [weight.clone() for weight in self._weights] if "update" in self.parts else []
        )

    @torch.no_grad()
    def after_step(self) -> None:
        """What the prior does to the step that the optimiser has taken."""
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
            f"{kernel.label()} has strengths that are not above 0, and a prior can be folded only "
            "where it is one to one; give the kernel a floor"
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
                f"layer {name!r} has a parametrized weight; fold the prior of a plain model, "
                "or call remove(model) first"
            )
    return [layer.weight for _, layer in layers]
