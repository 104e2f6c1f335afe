"""Local masks by distance for your own network, and a compact form of masked layers.

:func:`attach_local` is the counterpart of :func:`spatialnb.priors.parametrization.attach`: instead
of scaling weights by distance, it keeps each unit's nearest inputs and holds all other weights at
zero. :func:`compact` converts masked layers into layers that neither store nor multiply most of the
zeros, and :func:`~spatialnb.priors.parametrization.remove` converts them into plain linear layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spatialnb.priors import local_masks
from spatialnb.priors.parametrization import (
    Attached,
    Layers,
    check_weights,
    choose,
    given_distances,
    register,
)

M = TypeVar("M", bound=nn.Module)

BLOCK = 16
"""Number of units in a compact layer that share one dense product."""


class LocalMask(Attached):
    """Parametrization of a layer's weight: the weight where the mask is True, zero elsewhere.

    The mask is a buffer, so ``state_dict`` and ``model.to(device)`` include it.
    """

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight (out, in) of a learned weight."""
        return weight * self.kept

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The learned weight for an effective one: itself."""
        return weight

    def extra_repr(self) -> str:
        out, into = self.kept.shape
        return f"out={out}, in={into}, kept={int(self.kept.sum())}"


def attach_local(
    model: M,
    keep: float | int,
    *,
    layers: Layers | None = None,
    distances: Sequence[Tensor] | None = None,
    channels: int = 1,
) -> M:
    """Keep each unit's nearest inputs, hold its other weights at zero, and return the model.

    The zeros stay zero with any optimiser, because the mask is applied whenever the weight is used.
    Initialise first, as for :func:`~spatialnb.priors.parametrization.attach`. A layer that keeps a
    fraction s of its inputs has smaller pre-activations, which you may want to compensate in the
    initialisation. If an error is raised, no layer is changed.

    Parameters
    ----------
    model : any module, including a single ``nn.Linear``.
    keep : how many inputs each unit keeps: a fraction between 0 and 1, or an integer of at least 1.
    layers : as for :func:`~spatialnb.priors.parametrization.attach`.
    distances : for each of these layers, in order, the distances (out, in) of its connections, for
        example from :func:`spatialnb.priors.geometry.plane`; default: units evenly spaced on a
        line.
    channels : number of image channels; the channels of a pixel are kept together. Inputs must be
        flattened channel by channel.

    Raises
    ------
    ValueError : as for :func:`~spatialnb.priors.parametrization.attach`; or `keep` is neither a
        fraction nor a valid number of inputs, or inputs are not a multiple of `channels`.
    """
    chosen = choose(model, layers)
    check_weights(model, chosen)
    masks = [
        _mask(name, layer, between, keep, channels)
        for (name, layer), between in zip(chosen, given_distances(chosen, distances), strict=True)
    ]
    for (_, layer), mask in zip(chosen, masks, strict=True):  # all checks have passed
        register(layer, LocalMask(mask.to(layer.weight.device)))
    return model


def _mask(name: str, layer: nn.Linear, between: Tensor, keep: float, channels: int) -> Tensor:
    inputs = layer.in_features
    if channels < 1 or inputs % channels:
        raise ValueError(f"channels: {inputs} inputs of {name!r} are not a multiple of {channels}")
    whole = isinstance(keep, int) and not isinstance(keep, bool)
    if not (1 <= keep <= inputs if whole else 0.0 < keep < 1.0):
        raise ValueError(
            f"keep: expected a fraction between 0 and 1, or 1 to {inputs} inputs of {name!r}, got "
            f"{keep!r}"
        )
    number = int(keep) if whole else local_masks.kept_inputs(1.0 - keep, inputs, channels)
    if number % channels:
        raise ValueError(f"keep: {number} inputs are not a multiple of {channels} channels")
    return local_masks.nearest(between.cpu(), number, channels)


class CompactLinear(nn.Module):
    r"""A masked linear layer, computed as small dense products over gathered inputs.

    Units that share most of their inputs are grouped into blocks. A block gathers the union of its
    units' inputs and multiplies them in one dense product. The layer computes the same function as
    the masked layer, up to rounding, and learns the same weights.

    Parameters
    ----------
    weight : (out, in) with zeros.
    bias : (out,), or None.
    kept : (out, in) bool, the mask; a kept weight may happen to be zero.
    block : number of units that share a product.
    """

    inputs: Tensor
    kept: Tensor
    places: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor | None, kept: Tensor, block: int = BLOCK
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        groups = _blocks(kept.cpu(), block)
        unions = [kept[group].any(dim=0).nonzero().flatten() for group in groups]
        width, count = max(map(len, unions)), len(groups)
        inputs = torch.zeros(count, width, dtype=torch.long, device=weight.device)
        mask = torch.zeros(count, width, block, dtype=torch.bool, device=weight.device)
        values = torch.zeros(count, width, block, dtype=weight.dtype, device=weight.device)
        places = torch.zeros(self.out_features, dtype=torch.long, device=weight.device)
        with torch.no_grad():
            for number, (group, union) in enumerate(zip(groups, unions, strict=True)):
                inputs[number, : len(union)] = union
                mask[number, : len(union), : len(group)] = kept[group][:, union].T
                values[number, : len(union), : len(group)] = weight[group][:, union].T
                places[group] = number * block + torch.arange(len(group), device=weight.device)
            values *= mask
        self.register_buffer("inputs", inputs)
        self.register_buffer("kept", mask)
        self.register_buffer("places", places)
        self.weight = nn.Parameter(values)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out) of inputs (..., in)."""
        flat = x.reshape(-1, self.in_features)
        blocks, width = self.inputs.shape
        gathered = flat.index_select(1, self.inputs.flatten()).view(-1, blocks, width)
        weight = self.weight * self.kept if torch.is_grad_enabled() else self.weight
        found = torch.bmm(gathered.transpose(0, 1), weight).transpose(0, 1)
        found = found.reshape(len(flat), -1).index_select(1, self.places)
        if self.bias is not None:
            found = found + self.bias
        return found.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        blocks, width, block = self.weight.shape
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, blocks={blocks} of {block} units and {width} inputs"
        )


def compact(model: nn.Module, block: int = BLOCK) -> nn.Module:
    """Replace each layer that :func:`attach_local` has masked by a :class:`CompactLinear`.

    Returns
    -------
    The model itself; if the model is itself a masked layer, the compact layer that replaces it.

    Raises
    ------
    ValueError : the model has no masked layer, a masked layer has another parametrization on top,
        or `block` is less than 1. In these cases no layer is replaced.
    """
    if block < 1:
        raise ValueError(f"block: expected at least 1, got {block}")
    made = {
        part: _compacted(name, part, block)
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and _mask_of(part) is not None
    }
    if not made:
        raise ValueError("the model has no local layer; call attach_local(model, ...) first")
    if isinstance(model, nn.Linear):
        return made[model]
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # a shared layer is replaced everywhere
            if isinstance(child, nn.Linear) and child in made:
                setattr(parent, name, made[child])
    return model


def _compacted(name: str, layer: nn.Linear, block: int) -> CompactLinear:
    mask, parts = _mask_of(layer), cast(Any, layer.parametrizations)
    assert mask is not None
    if len(parts) > 1 or len(parts["weight"]) > 1:
        raise ValueError(
            f"layer {name!r} has another parametrization besides its mask; remove that first"
        )
    small = CompactLinear(layer.weight.detach(), layer.bias, mask.kept, block)
    small.weight.requires_grad_(parts["weight"].original.requires_grad)
    if small.bias is not None:
        small.bias.requires_grad_(layer.bias.requires_grad)
    return small.train(layer.training)


def _mask_of(layer: nn.Linear) -> LocalMask | None:
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    first = cast(Any, layer.parametrizations)["weight"][0]
    return first if isinstance(first, LocalMask) else None


def _blocks(kept: Tensor, block: int) -> list[Tensor]:
    """Group units greedily: a group, of at most `block`, adds the unit with fewest new inputs."""
    rows = kept.float()
    sizes = rows.sum(dim=1)
    free = torch.ones(len(kept), dtype=torch.bool)
    groups = []
    while bool(free.any()):
        group = [int(free.nonzero()[0])]
        union = kept[group[0]].clone()
        free[group[0]] = False
        while len(group) < block and bool(free.any()):
            new = (sizes - rows @ union.float()).masked_fill(~free, float("inf"))
            group.append(int(new.argmin()))
            union |= kept[group[-1]]
            free[group[-1]] = False
        groups.append(torch.tensor(sorted(group)))
    return groups
