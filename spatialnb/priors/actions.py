r"""Actions: how a kernel value acts on a learned weight.

They are separate from :mod:`spatialnb.priors.parametrization`, so that a run's configuration can
name them without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from spatialnb.registry import Functions

if TYPE_CHECKING:
    from torch import Tensor

Action = Callable[["Tensor", "Tensor"], "Tensor"]
"""From learned weights and kernel values, both (out, in), to effective weights (out, in)."""

PARTS = ("start", "gradient", "update", "shrink")
"""The four effects of a multiplicative prior on the training of the effective weights, see
:mod:`spatialnb.priors.folded_optimizer`."""

ROW_NORM = math.sqrt(2.0)
"""Row norm under Kaiming initialisation: ``fan_in`` weights of variance ``2 / fan_in``."""

actions: Functions[Action] = Functions("action")
"""All actions by name: multiply, normalise, three caps, and your own."""
register = actions.register
"""Decorator: register an action; see :class:`~spatialnb.registry.Functions`."""


@register("multiply")
def multiply(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = W \circ K$, both (out, in). Log, v1 and from v5 on."""
    return weight * strength


@register("normalise")
def normalise(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = \sqrt 2\, K \circ W / \lVert W \rVert$, with the norm of each row. Log, v2.

    The log does not state its scale; $\sqrt 2$ is the row norm at initialisation. A row of zeros
    remains zero.
    """
    import torch  # here: naming an action does not need it

    norm: Tensor = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    return weight / torch.where(norm == 0.0, 1.0, norm) * (strength * ROW_NORM)


@register("cap")
def cap(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = \min(\max(W, -K), K)$. Log, v8. The gradient is zero beyond the cap."""
    return weight.clamp(-strength, strength)


@register("soft_cap")
def soft_cap(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = K \tanh(W / K)$, and 0 where K is 0.

    A cap whose gradient decreases smoothly, $1 - \tanh^2(W / K)$; v8 asks about softer boundaries.
    """
    import torch

    cap = torch.where(strength == 0.0, 1.0, strength)
    return strength * torch.tanh(weight / cap)


@register("cap_scaled_gradient")
def cap_scaled_gradient(weight: Tensor, strength: Tensor) -> Tensor:
    r"""The value of ``cap`` with the gradient of ``multiply``: K inside the cap, and 0 beyond.

    v8 asks whether multiplying does better than a cap because it scales the gradient.
    """
    scaled = weight * strength
    return (weight.detach() + (scaled - scaled.detach())).clamp(-strength, strength)


CAPS = ("cap", "soft_cap", "cap_scaled_gradient")
"""Actions in which the kernel bounds the magnitude of a weight."""
