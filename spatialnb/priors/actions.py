r"""Actions: how a strength acts on a learned weight, and what multiplying does to training.

Apart from :mod:`spatialnb.priors.parametrization`, so that a run's configuration can name them
without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from spatialnb.registry import Functions

if TYPE_CHECKING:
    from torch import Tensor

Action = Callable[["Tensor", "Tensor"], "Tensor"]
"""From a learned weight and a strength, both (out, in), to the effective weight."""

PARTS = ("start", "gradient", "update", "shrink")
"""What a multiplicative prior does to the training of the effective weights: see
:mod:`spatialnb.priors.folded_optimizer`."""

ROW_NORM = math.sqrt(2.0)
"""Row norm that Kaiming initialisation gives: ``fan_in`` weights of variance ``2 / fan_in``."""

actions: Functions[Action] = Functions("action")
"""Every action by name: multiply, normalise, three caps, and your own."""
register = actions.register
"""Decorator: make an action known by a name; see :class:`~spatialnb.registry.Functions`."""


@register("multiply")
def multiply(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = W \circ K$. Report, v1 and v5 on. Both (out, in)."""
    return weight * strength


@register("normalise")
def normalise(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = \sqrt 2\, K \circ W / \lVert W \rVert$, the norm taken by row. Report, v2.

    The report's scale is not printed; $\sqrt 2$ is the row norm of the initialisation. A row of
    zeros stays zeros.
    """
    import torch  # here: to name an action needs none

    norm: Tensor = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    return weight / torch.where(norm == 0.0, 1.0, norm) * (strength * ROW_NORM)


@register("cap")
def cap(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = \min(\max(W, -K), K)$. Report, v8. Beyond the cap there is no gradient."""
    return weight.clamp(-strength, strength)


@register("soft_cap")
def soft_cap(weight: Tensor, strength: Tensor) -> Tensor:
    r"""$W_\text{eff} = K \tanh(W / K)$, and 0 where K is 0.

    A cap whose gradient falls smoothly, $1 - \tanh^2(W / K)$: v8 asks what softer boundaries do.
    """
    import torch

    cap = torch.where(strength == 0.0, 1.0, strength)
    return strength * torch.tanh(weight / cap)


@register("cap_scaled_gradient")
def cap_scaled_gradient(weight: Tensor, strength: Tensor) -> Tensor:
    r"""The value of ``cap``, with the gradient of ``multiply`` inside the cap: K, and 0 beyond.

    v8 asks whether it is the scaled gradient by which multiplying does better than a cap.
    """
    scaled = weight * strength
    return (weight.detach() + (scaled - scaled.detach())).clamp(-strength, strength)


CAPS = ("cap", "soft_cap", "cap_scaled_gradient")
"""Actions by which the kernel bounds the size of a weight."""
