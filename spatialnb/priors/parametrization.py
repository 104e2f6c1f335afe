r"""Priors: how a strength acts on a learned weight, as parametrizations of a plain ``nn.Linear``.

.. math:: W_\text{eff} = \mathrm{action}(W, K)

``attach`` puts one on any model; its ``weight`` then reads as the effective weight, and the learned
one stands in ``layer.parametrizations.weight.original``. Initialise first, then attach: attaching
leaves the learned weight as it is. Source: report, v1 (multiply), v2 (normalise), v8 (cap), v9
(decay to a target).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spatialnb.priors.actions import actions
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Kernel
from spatialnb.priors.schedules import Schedule
from spatialnb.registry import unknown

M = TypeVar("M", bound=nn.Module)


class SpatialPrior(nn.Module):
    """The parametrization: an action with the strengths of one layer.

    Parameters
    ----------
    action : the name of an action.
    distance : (out, in) distances of the layer's connections, float64.

    The strengths are a buffer, so they travel with ``state_dict`` and with ``model.to(device)``.
    """

    strength: Tensor

    def __init__(self, action_name: str, distance: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.action_name = action_name
        self._act = actions.get(action_name)
        self._distance = distance
        self.register_buffer("strength", torch.ones_like(distance, dtype=dtype))

    def set_kernel(self, kernel: Kernel) -> None:
        """Compute the strengths of a kernel in float64 and store them in the weight's type."""
        self.strength.copy_(kernel.strength(self._distance))

    def forward(self, weight: Tensor) -> Tensor:
        """Effective weight (out, in) of a learned weight (out, in)."""
        return self._act(weight, self.strength)

    def extra_repr(self) -> str:
        out, into = self.strength.shape
        return f"action={self.action_name!r}, out={out}, in={into}"


def attach(
    model: M,
    prior: Kernel | Schedule,
    *,
    action: str = "multiply",
    layers: Sequence[str] | None = None,
    distances: Sequence[Tensor] | None = None,
) -> M:
    """Put a spatial prior on the linear layers of any model, and return the model.

    Parameters
    ----------
    model : any module; an ``nn.Linear`` itself too.
    prior : a kernel, or a schedule (which starts at progress 0; move it with :func:`step`).
    action : ``multiply``, ``normalise``, ``cap``, or a registered one.
    layers : names of the layers, as in ``model.named_modules()``; all linear ones without it.
    distances : for each of these layers, in their order, the distances (out, in) of its
        connections, such as :func:`spatialnb.priors.geometry.plane` gives; without it each layer's
        neurons stand evenly on a line.

    Raises
    ------
    ValueError : no linear layer, an unknown name, a layer that is not ``nn.Linear``, a weight that
        has a parametrization already (attach once; remove first), an unknown action, or distances
        that do not fit the layers.
    TypeError : `prior` is neither a kernel nor a schedule.
    """
    kernel = _kernel_at(prior, 0.0)
    chosen = _choose(model, layers)
    for name, layer in chosen:
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(
                f"layer {name!r} has a parametrized weight already; call remove(model) first"
            )
    for (_, layer), between in zip(chosen, _distances(chosen, distances), strict=True):
        weight = layer.weight
        part = SpatialPrior(action, between, weight.dtype).to(weight.device)
        part.set_kernel(kernel)
        parametrize.register_parametrization(layer, "weight", part)
    return model


def step(model: nn.Module, prior: Kernel | Schedule, progress: float) -> None:
    """Move the attached priors of a model to a schedule's kernel at this progress in [0, 1].

    Raises
    ------
    ValueError : the model carries no spatial prior, or progress lies outside [0, 1].
    """
    kernel = _kernel_at(prior, progress)
    found = False
    for _, part in spatial_priors(model):
        part.set_kernel(kernel)
        found = True
    if not found:
        raise ValueError("the model carries no spatial prior; call attach(model, ...) first")


def remove(model: M) -> M:
    """Bake the effective weights in: plain ``nn.Linear`` layers again, with the same outputs."""
    for module in list(model.modules()):
        if _prior_of(module) is not None:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return model


def spatial_priors(model: nn.Module) -> Iterator[tuple[nn.Linear, SpatialPrior]]:
    """Every linear layer of the model that carries a spatial prior, with its prior."""
    for module in model.modules():
        part = _prior_of(module)
        if part is not None:
            assert isinstance(module, nn.Linear)
            yield module, part


def capped_share(model: nn.Module) -> float:
    r"""Share of learned weights that lie beyond their strength, $|W| > K$, over all layers.

    With the action ``cap``: how many weights the cap touches. Report, v8.
    """
    touched = total = 0
    for layer, part in spatial_priors(model):
        weight = learned_weight(layer).detach()
        touched += int((weight.abs() > part.strength).sum())
        total += weight.numel()
    if total == 0:
        raise ValueError("the model carries no spatial prior; call attach(model, ...) first")
    return touched / total


class DecayTarget:
    r"""The penalty $\lambda \sum (W - T)^2$ over the weights of a model's linear layers.

    $T$ is a kernel's strengths: the report's v9 decays weights to the kernel instead of to zero.
    Biases are left alone. The distance to the target is in the unit of a weight.

    Parameters
    ----------
    model : the model, before or after :func:`attach`; the learned weight is meant.
    target : the kernel T; ``Uniform(value=0.0)`` is ordinary decay to zero.
    weight : $\lambda$, at least 0.
    """

    def __init__(self, model: nn.Module, target: Kernel, weight: float) -> None:
        if not weight >= 0.0:
            raise ValueError(f"decay weight: expected a number >= 0, got {weight}")
        self.weight = weight
        learned = [learned_weight(layer) for _, layer in _choose(model, None)]
        self._pairs = [
            (w, target.strength(layer_distance(*w.shape)).to(w.device, w.dtype)) for w in learned
        ]

    def __call__(self) -> Tensor:
        """The penalty, a scalar to be added to the loss."""
        parts = [(weight - target).square().sum() for weight, target in self._pairs]
        return self.weight * torch.stack(parts).sum()

    @torch.no_grad()
    def distance(self) -> float:
        r"""Root mean square of $W - T$ over all weights."""
        total = sum(float((weight - target).square().sum()) for weight, target in self._pairs)
        return math.sqrt(total / sum(weight.numel() for weight, _ in self._pairs))


def learned_weight(layer: nn.Linear) -> Tensor:
    """The weight that is trained: the original under a prior, the weight itself without one."""
    if parametrize.is_parametrized(layer, "weight"):
        parts = cast(nn.ModuleDict, layer.parametrizations)["weight"]
        return cast(Tensor, parts.original)
    return layer.weight


def _kernel_at(prior: Kernel | Schedule, progress: float) -> Kernel:
    if isinstance(prior, Schedule):
        return prior.at(progress)
    if isinstance(prior, Kernel):
        return prior
    raise TypeError(f"expected a Kernel or a Schedule, got {prior!r}")


def _distances(
    layers: Sequence[tuple[str, nn.Linear]], given: Sequence[Tensor] | None
) -> list[Tensor]:
    """Distances (out, in) of these layers: those given, or those along a line."""
    if given is None:
        return [layer_distance(*layer.weight.shape) for _, layer in layers]
    names = ", ".join(repr(name) for name, _ in layers)
    if isinstance(given, Tensor) or len(given) != len(layers):
        raise ValueError(
            f"distances: expected a list with one tensor for each layer ({names}), got "
            + (f"a tensor {tuple(given.shape)}" if isinstance(given, Tensor) else f"{len(given)}")
        )
    for (name, layer), between in zip(layers, given, strict=True):
        if between.shape != layer.weight.shape:
            raise ValueError(
                f"distances: layer {name!r} is {tuple(layer.weight.shape)}, (out, in), got "
                f"{tuple(between.shape)}"
            )
        if not bool((between >= 0.0).all() & between.isfinite().all()):
            raise ValueError(f"distances: layer {name!r}: expected finite numbers >= 0")
    return [between.detach().to("cpu", torch.float64) for between in given]


def _prior_of(module: nn.Module) -> SpatialPrior | None:
    if not parametrize.is_parametrized(module, "weight"):
        return None
    parts = cast(nn.ModuleDict, module.parametrizations)["weight"]
    first = cast(nn.ModuleList, parts)[0]
    return first if isinstance(first, SpatialPrior) else None


def _choose(model: nn.Module, layers: Sequence[str] | None) -> list[tuple[str, nn.Linear]]:
    linear = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    if layers is None:
        if not linear:
            raise ValueError(f"{type(model).__name__} has no nn.Linear layer")
        return list(linear.items())
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers: expected a list of names, at least one, got {layers!r}")
    for name in layers:
        if list(layers).count(name) > 1:
            raise ValueError(f"layers: {name!r} is named twice")
        if name not in linear:
            raise ValueError(unknown("linear layer", name, linear))
    return [(name, linear[name]) for name in layers]
