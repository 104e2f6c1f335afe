r"""Priors as parametrizations of plain ``nn.Linear`` layers.

.. math:: W_\text{eff} = \mathrm{action}(W, K)

``attach`` puts a prior on any model. ``layer.weight`` then returns the effective weight, and the
learned weight is ``layer.parametrizations.weight.original``. Initialise first, then attach, which
does not change the learned weight. Source: log, v1 (multiply), v2 (normalise), v8 (cap), v9 (decay
to a target).
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
"""A selection of linear layers: names or name patterns, or a function of a name and a layer."""


class LeftAloneWarning(UserWarning):
    """:func:`attach` chose the layers itself, and some of the model's weights have no prior."""


class Attached(nn.Module):
    """Base class of the weight parametrizations that :func:`remove` bakes in."""


class SpatialPrior(Attached):
    """Parametrization of a layer's weight: an action with the layer's kernel values.

    Parameters
    ----------
    action : the name of an action.
    distance : (out, in) distances of the layer's connections, float64.

    The kernel values are a buffer, so ``state_dict`` and ``model.to(device)`` include them.
    """

    strength: Tensor

    def __init__(self, action_name: str, distance: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.action_name = action_name
        self._act = actions.get(action_name)
        self._distance = distance
        with torch.inference_mode(False):  # otherwise the buffer could not be used in training
            self.register_buffer("strength", torch.ones(distance.shape, dtype=dtype, device="cpu"))

    def set_kernel(self, kernel: Kernel) -> None:
        """Compute the values of a kernel in float64 and store them in the weight's dtype.

        They are rounded on the CPU, because some devices do not support float64.
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

    Initialise first: after attaching, values that ``nn.init`` writes into a layer's ``weight`` are
    lost, because the weight is recomputed from the learned weight at every use. If an error is
    raised, no layer is changed. Other layers, such as convolutions, stay as they are; a
    :class:`LeftAloneWarning` counts them unless `layers` is given.

    Parameters
    ----------
    model : any module, including a single ``nn.Linear``.
    prior : a kernel, or a schedule (which starts at progress 0; advance it with :func:`step`).
    action : ``multiply``, ``normalise``, ``cap``, or any registered action.
    layers : names of layers as in ``model.named_modules()``, or patterns such as
        ``"blocks.*.mlp.*"``; or a function of a name and a layer that returns whether the layer
        gets the prior; default: all linear layers, as with ``["*"]``.
    distances : for each of these layers, in order, the distances (out, in) of its connections, for
        example from :func:`spatialnb.priors.geometry.plane`; default: units evenly spaced on a
        line.

    Raises
    ------
    ValueError : no linear layer, an unknown name, a layer that is not ``nn.Linear``, a weight that
        is already parametrized (attach once; remove first), a weight that is shared with another
        module, an unknown action, or distances that do not fit the layers.
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
            f"attach left {others} unchanged, because a prior acts only on nn.Linear. To silence "
            'this warning, name the layers, or pass layers=["*"] for all linear layers',
            LeftAloneWarning,
            stacklevel=2,
        )
    for (_, layer), part in zip(chosen, parts, strict=True):  # all checks have passed
        register(layer, part)
    return model


def register(layer: nn.Linear, part: Attached) -> None:
    """Register a parametrization of a layer's weight, and make `reset_parameters` an error."""
    parametrize.register_parametrization(layer, "weight", part)
    cast(Any, type(layer)).reset_parameters = _refuse_reset


def step(model: nn.Module, prior: Kernel | Schedule, progress: float) -> None:
    """Set the attached priors of a model to a schedule's kernel at this progress in [0, 1].

    Raises
    ------
    ValueError : the model has no spatial prior, or progress is outside [0, 1].
    """
    kernel = _kernel_at(prior, progress)
    found = False
    for _, part in spatial_priors(model):
        part.set_kernel(kernel)
        found = True
    if not found:
        raise ValueError("the model has no spatial prior; call attach(model, ...) first")


def remove(model: M) -> M:
    """Bake in the effective weights: plain layers without the prior, with the same outputs.

    Zeros from :func:`~spatialnb.priors.local_layers.attach_local` become ordinary weights, which
    further training changes; :func:`~spatialnb.priors.local_layers.compact` keeps them at zero.
    Other parametrizations on top, such as a spectral norm, stay.
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
    """A copy of a model without its prior, with the same outputs, to save, export or average.

    The model itself is unchanged, and training can continue.
    """
    return remove(copy.deepcopy(model))


def effective_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """A ``state_dict`` with the effective weights, for a model without the prior."""
    return dict(baked_copy(model).state_dict())


def _left_alone(model: nn.Module) -> str:
    """Count the non-linear-layer modules with weights of two or more axes, as ``2 Conv2d layers``.

    Embeddings do not count, since they map tokens, which have no positions.
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
    """Remove the prior from a list of parametrizations, and bake its effect into the weight."""
    with torch.no_grad():
        parts.original.copy_(parts[0](parts.original))
    del parts[0]


def _give_a_class_of_its_own(module: nn.Module) -> None:
    """Give this module its own class, since a deep copy shares the class that torch has created."""
    shared = type(module)
    members = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
    module.__class__ = type(shared.__name__, shared.__bases__, members)


def _refuse_reset(layer: nn.Linear) -> None:
    raise RuntimeError(
        "reset_parameters has no effect under a spatial prior or mask, because the weight is "
        "computed from the learned weight. Call it before attaching, or after remove(model)"
    )


def spatial_priors(model: nn.Module) -> Iterator[tuple[nn.Linear, SpatialPrior]]:
    """Every linear layer of the model that has a spatial prior, with its prior."""
    for module in model.modules():
        part = _prior_of(module)
        if part is not None:
            assert isinstance(module, nn.Linear)
            yield module, part


def capped_share(model: nn.Module) -> float:
    r"""Fraction of learned weights beyond their kernel value, $|W| > K$, over all layers.

    With a cap as action, this is the fraction of weights that the cap clips. Log, v8.
    """
    touched = total = 0
    for layer, part in spatial_priors(model):
        weight = learned_weight(layer).detach()
        touched += int((weight.abs() > part.strength).sum())
        total += weight.numel()
    if total == 0:
        raise ValueError("the model has no spatial prior; call attach(model, ...) first")
    return touched / total


class DecayTarget:
    r"""The penalty $\lambda \sum (W - T)^2$ over the weights of a model's linear layers.

    $T$ are the values of a kernel: the log's v9 decays weights toward the kernel instead of zero.
    Biases are not penalised. The distance to the target is in units of a weight.

    Parameters
    ----------
    model : the model, before or after :func:`attach`; the penalty acts on the learned weights.
    target : the kernel T; ``Uniform(value=0.0)`` is ordinary decay to zero.
    weight : $\lambda$, at least 0.
    keep_sign : penalise $(|W| - T)^2$ instead, so that a weight keeps its sign.
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
        """The penalty, a scalar to add to the loss."""
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
    """The weight that is trained: the original under a prior, else the weight itself."""
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
    """Distances (out, in) of these layers: those given, or by default those in 1-D index order.

    Raises ValueError if the given ones do not fit the layers, or are not distances.
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
    """The selected linear layers with their names; raises ValueError as for :func:`attach`."""
    linear = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    if layers is None:
        if not linear:
            raise ValueError(f"{type(model).__name__} has no nn.Linear layer")
        return list(linear.items())
    if callable(layers):
        chosen = [(name, layer) for name, layer in linear.items() if layers(name, layer)]
        if not chosen:
            raise ValueError("layers: the function selects none of " + ", ".join(linear))
        return chosen
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers: expected a list of one or more names, got {layers!r}")
    names = [found for name in layers for found in _matching(name, linear)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"layers: {name!r} is listed twice")
    return [(name, linear[name]) for name in names]


def _matching(name: str, linear: Mapping[str, nn.Linear]) -> list[str]:
    """The layer with that name, or those matching the pattern. ValueError if there is none."""
    found = [name] if name in linear else fnmatch.filter(linear, name)
    if not found:
        raise ValueError(unknown("linear layer", name, linear))
    return found


def check_weights(model: nn.Module, chosen: Sequence[tuple[str, nn.Linear]]) -> None:
    """Refuse a weight that cannot have a prior, or that is shared with another module."""
    used: dict[tuple[str, int], list[str]] = {}
    for prefix, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            used.setdefault(_identity(parameter), []).append(f"{prefix}.{name}".lstrip("."))
    for name, layer in chosen:
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(
                f"layer {name!r} already has a parametrized weight; call remove(model) first"
            )
        if not isinstance(layer._parameters.get("weight"), nn.Parameter):
            raise ValueError(
                f"the weight of layer {name!r} is not a parameter, for example under the older "
                "torch.nn.utils.weight_norm; remove that first, or leave the layer out of layers"
            )
        if is_lazy(layer.weight):
            raise ValueError(
                f"layer {name!r} has no shape yet; call the model once on a batch before attach"
            )
        places = used[_identity(layer.weight)]
        if len(places) > 1:
            others = ", ".join(place for place in places if place != f"{name}.weight".lstrip("."))
            raise ValueError(
                f"layer {name!r} shares its weight with {others}, which the prior would also "
                "change; leave the layer out of layers, or first give it a separate weight: "
                "layer.weight = nn.Parameter(layer.weight.detach().clone())"
            )


def _identity(parameter: Tensor) -> tuple[str, int]:
    """A key that is equal for parameters that share memory (or, without memory, are one object)."""
    if is_lazy(parameter) or parameter.device.type == "meta" or parameter.numel() == 0:
        return "without memory", id(parameter)
    return str(parameter.device), parameter.data_ptr()
