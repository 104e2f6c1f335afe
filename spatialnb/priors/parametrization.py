r"""Priors: how a strength acts on a learned weight, as parametrizations of a plain ``nn.Linear``.

.. math:: W_\text{eff} = \mathrm{action}(W, K)

``attach`` puts one on any model; its ``weight`` then reads as the effective weight, and the learned
one stands in ``layer.parametrizations.weight.original``. Initialise first, then attach: attaching
leaves the learned weight as it is. Source: report, v1 (multiply), v2 (normalise), v8 (cap), v9
(decay to a target).
"""

from __future__ import annotations

import copy
import fnmatch
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import ParametrizationList

from spatialnb.priors.actions import actions
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Kernel
from spatialnb.priors.schedules import Schedule
from spatialnb.registry import unknown

M = TypeVar("M", bound=nn.Module)

Layers = Sequence[str] | Callable[[str, nn.Linear], bool]
"""Which linear layers: names or patterns of names, or a function of a name and a layer."""


class LeftAloneWarning(UserWarning):
    """:func:`attach` chose the layers itself, and the model has weights that it put no prior on."""


class Attached(nn.Module):
    """Base of the parametrizations of a weight that :func:`remove` bakes in."""


class SpatialPrior(Attached):
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
        with torch.inference_mode(False):  # else the buffer could not take part in training
            self.register_buffer("strength", torch.ones(distance.shape, dtype=dtype, device="cpu"))

    def set_kernel(self, kernel: Kernel) -> None:
        """Compute the values of a kernel in float64 and store them in the weight's type.

        They are rounded on the processor, because some devices have no float64.
        """
        self.strength.copy_(kernel.strength(self._distance).to(self.strength.dtype))

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
    layers: Layers | None = None,
    distances: Sequence[Tensor] | None = None,
) -> M:
    """Put a spatial prior on the linear layers of any model, and return the model.

    Initialise first: what ``nn.init`` writes into a layer's ``weight`` afterwards is lost, because
    that is computed anew from the learned weight each time. Where anything is wrong, no layer is
    changed. Layers of other kinds, such as convolutions, are left as they are, and a
    :class:`LeftAloneWarning` counts them unless `layers` says which ones are meant.

    Parameters
    ----------
    model : any module; an ``nn.Linear`` itself too.
    prior : a kernel, or a schedule (which starts at progress 0; move it with :func:`step`).
    action : ``multiply``, ``normalise``, ``cap``, or a registered one.
    layers : names of the layers, as in ``model.named_modules()``, or patterns such as
        ``"blocks.*.mlp.*"``; or a function from a name and a layer to whether it gets the prior;
        all linear ones without it, as with ``["*"]``.
    distances : for each of these layers, in their order, the distances (out, in) of its
        connections, such as :func:`spatialnb.priors.geometry.plane` gives; without it each layer's
        neurons stand evenly on a line.

    Raises
    ------
    ValueError : no linear layer, an unknown name, a layer that is not ``nn.Linear``, a weight that
        has a parametrization already (attach once; remove first), a weight that is used in another
        place too, an unknown action, or distances that do not fit the layers.
    TypeError : `prior` is neither a kernel nor a schedule.
    """
    kernel = _kernel_at(prior, 0.0)
    chosen = choose(model, layers)
    check_weights(model, chosen)
    parts = []
    for (_, layer), between in zip(chosen, given_distances(chosen, distances), strict=True):
        weight = layer.weight
        with torch.inference_mode(False):
            part = SpatialPrior(action, between, weight.dtype).to(weight.device)
        part.set_kernel(kernel)
        parts.append(part)
    if layers is None and (others := _left_alone(model)):
        warnings.warn(
            f"attach left {others} alone: a prior acts on nn.Linear. Name the layers, or pass "
            'layers=["*"] for all linear ones, to say that this is meant',
            LeftAloneWarning,
            stacklevel=2,
        )
    for (_, layer), part in zip(chosen, parts, strict=True):  # nothing is wrong from here on
        register(layer, part)
    return model


def register(layer: nn.Linear, part: Attached) -> None:
    """Put a parametrization on a layer's weight, which `reset_parameters` then refuses to draw."""
    parametrize.register_parametrization(layer, "weight", part)
    cast(Any, type(layer)).reset_parameters = _refuse_reset


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
    """Bake the effective weights in: layers without the prior, with the same outputs.

    Zeros of :func:`~spatialnb.priors.local_layers.attach_local` are plain numbers then, which a
    further training moves; :func:`~spatialnb.priors.local_layers.compact` keeps them.
    Parametrizations that others have put on top, such as a spectral norm, stay.
    """
    for module in list(model.modules()):
        parts = _parts_of(module)
        if parts is None or not isinstance(parts[0], Attached):
            continue
        _give_a_class_of_its_own(module)
        del cast(Any, type(module)).reset_parameters
        if len(parts) > 1:
            _bake_first(parts)
        else:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return model


def baked_copy(model: M) -> M:
    """A copy of a model without its prior, with the same outputs: to save, export or average.

    The model itself stays as it is, and can be trained on.
    """
    return remove(copy.deepcopy(model))


def effective_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The ``state_dict`` that a model without the prior takes, effective weights in it."""
    return dict(baked_copy(model).state_dict())


def _left_alone(model: nn.Module) -> str:
    """The layers with weights of two axes or more that are not linear, ``2 Conv2d layers``.

    An embedding is none of them: it maps tokens, which have no positions.
    """
    counts: Counter[str] = Counter()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding | nn.EmbeddingBag | ParametrizationList):
            continue
        own = [weight for weight in module._parameters.values() if weight is not None]
        if parametrize.is_parametrized(module):
            own += cast(nn.ModuleDict, module.parametrizations).parameters()
        if any(is_lazy(weight) or weight.dim() > 1 for weight in own):
            counts[parametrize.type_before_parametrizations(module).__name__] += 1
    return " and ".join(
        f"{count} {kind} layer{'s' if count > 1 else ''}" for kind, count in counts.items()
    )


def _bake_first(parts: Any) -> None:
    """Take the prior out of a list of parametrizations, and its effect into the learned weight."""
    with torch.no_grad():
        parts.original.copy_(parts[0](parts.original))
    del parts[0]


def _give_a_class_of_its_own(module: nn.Module) -> None:
    """Let removal change this module alone: a deep copy shares the class that torch has made."""
    shared = type(module)
    members = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
    module.__class__ = type(shared.__name__, shared.__bases__, members)


def _refuse_reset(layer: nn.Linear) -> None:
    raise RuntimeError(
        "reset_parameters would change nothing under a spatial prior or mask: the weight is "
        "computed from the learned one. Call it before attaching, or after remove(model)"
    )


def spatial_priors(model: nn.Module) -> Iterator[tuple[nn.Linear, SpatialPrior]]:
    """Every linear layer of the model that carries a spatial prior, with its prior."""
    for module in model.modules():
        part = _prior_of(module)
        if part is not None:
            assert isinstance(module, nn.Linear)
            yield module, part


def capped_share(model: nn.Module) -> float:
    r"""Share of learned weights that lie beyond their strength, $|W| > K$, over all layers.

    With a cap as action: how many weights the cap touches. Report, v8.
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
    keep_sign : penalise $(|W| - T)^2$ instead, which leaves a weight its sign.
    """

    def __init__(
        self, model: nn.Module, target: Kernel, weight: float, keep_sign: bool = False
    ) -> None:
        if not weight >= 0.0:
            raise ValueError(f"decay weight: expected a number >= 0, got {weight}")
        self.weight, self.keep_sign = weight, keep_sign
        learned = [learned_weight(layer) for _, layer in choose(model, None)]
        self._pairs = [
            (w, target.strength(layer_distance(*w.shape)).to(w.device, w.dtype)) for w in learned
        ]

    def __call__(self) -> Tensor:
        """The penalty, a scalar to be added to the loss."""
        parts = [off.square().sum() for off in self._off()]
        return self.weight * torch.stack(parts).sum()

    @torch.no_grad()
    def distance(self) -> float:
        r"""Root mean square of $W - T$, or of $|W| - T$, over all weights."""
        total = sum(float(off.square().sum()) for off in self._off())
        return math.sqrt(total / sum(weight.numel() for weight, _ in self._pairs))

    def _off(self) -> list[Tensor]:
        return [(w.abs() if self.keep_sign else w) - target for w, target in self._pairs]


def learned_weight(layer: nn.Linear) -> Tensor:
    """The weight that is trained: the original under a prior, the weight itself without one."""
    if parametrize.is_parametrized(layer, "weight"):
        parts = cast(nn.ModuleDict, layer.parametrizations)["weight"]
        return cast(Tensor, parts.original)
    return layer.weight


def _kernel_at(prior: Kernel | Schedule, progress: float) -> Kernel:
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress: expected a number in [0, 1], got {progress}")
    if isinstance(prior, Schedule):
        return prior.at(progress)
    if isinstance(prior, Kernel):
        return prior
    raise TypeError(f"expected a Kernel or a Schedule, got {prior!r}")


def given_distances(
    layers: Sequence[tuple[str, nn.Linear]], given: Sequence[Tensor] | None
) -> list[Tensor]:
    """Distances (out, in) of these layers: those given, or those along a line.

    ValueError where those given do not fit, or are no distances.
    """
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


def _parts_of(module: nn.Module) -> Any:
    """The list of parametrizations of a module's weight, or None."""
    if not parametrize.is_parametrized(module, "weight"):
        return None
    return cast(nn.ModuleDict, module.parametrizations)["weight"]


def _prior_of(module: nn.Module) -> SpatialPrior | None:
    parts = _parts_of(module)
    return parts[0] if parts is not None and isinstance(parts[0], SpatialPrior) else None


def choose(model: nn.Module, layers: Layers | None) -> list[tuple[str, nn.Linear]]:
    """The linear layers that are meant, by name; ValueError as for :func:`attach`."""
    linear = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    if layers is None:
        if not linear:
            raise ValueError(f"{type(model).__name__} has no nn.Linear layer")
        return list(linear.items())
    if callable(layers):
        chosen = [(name, layer) for name, layer in linear.items() if layers(name, layer)]
        if not chosen:
            raise ValueError("layers: the function chooses none of " + ", ".join(linear))
        return chosen
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers: expected a list of names, at least one, got {layers!r}")
    names = [found for name in layers for found in _matching(name, linear)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"layers: {name!r} is named twice")
    return [(name, linear[name]) for name in names]


def _matching(name: str, linear: Mapping[str, nn.Linear]) -> list[str]:
    """The layer of that name, or those of that pattern. ValueError where there is none."""
    found = [name] if name in linear else fnmatch.filter(linear, name)
    if not found:
        raise ValueError(unknown("linear layer", name, linear))
    return found


def check_weights(model: nn.Module, chosen: Sequence[tuple[str, nn.Linear]]) -> None:
    """Refuse a weight that cannot carry a prior, or that something else uses too."""
    used: dict[tuple[str, int], list[str]] = {}
    for prefix, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            used.setdefault(_identity(parameter), []).append(f"{prefix}.{name}".lstrip("."))
    for name, layer in chosen:
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(
                f"layer {name!r} has a parametrized weight already; call remove(model) first"
            )
        if not isinstance(layer._parameters.get("weight"), nn.Parameter):
            raise ValueError(
                f"layer {name!r} has no weight of its own to put a prior on, as under the older "
                "torch.nn.utils.weight_norm; take that off first, or leave the layer out of layers"
            )
        if is_lazy(layer.weight):
            raise ValueError(
                f"layer {name!r} has no shape yet; call the model once on a batch before attach"
            )
        places = used[_identity(layer.weight)]
        if len(places) > 1:
            others = ", ".join(place for place in places if place != f"{name}.weight".lstrip("."))
            raise ValueError(
                f"layer {name!r} shares its weight with {others}, which the prior would change "
                "too; leave the layer out of layers, or give it a weight of its own first: "
                "layer.weight = nn.Parameter(layer.weight.detach().clone())"
            )


def _identity(parameter: Tensor) -> tuple[str, int]:
    """The same for two parameters with one memory; where there is none, for one object."""
    if is_lazy(parameter) or parameter.device.type == "meta" or parameter.numel() == 0:
        return "without memory", id(parameter)
    return str(parameter.device), parameter.data_ptr()
