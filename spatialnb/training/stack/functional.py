"""Arbitrary networks in a stack, with gradients by :mod:`torch.func`, one call for all runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import log_softmax

from spatialnb.config.run import Run
from spatialnb.priors.actions import CAPS, actions
from spatialnb.priors.geometry import layer_distance
from spatialnb.training import networks
from spatialnb.training.stack.adam import Slot


class Functional:
    """The networks of a stack.

    Parameters
    ----------
    runs : the runs, in the order of the stack; the R / S runs of each seed are adjacent.
    model : the network of one of them; its own weights are not used.
    weights : all parameters of all runs by name, (R, ...).
    strengths : kernel values (R, out, in) by layer; empty if no run has a prior.
    seeds : the number of seeds, S.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        model: nn.Module,
        weights: Mapping[str, Tensor],
        strengths: Mapping[str, Tensor],
        seeds: int,
    ) -> None:
        self._run, self._model, self._seeds = runs[0], model.to("meta"), seeds
        self._act = actions.get(runs[0].action)
        self._strengths = {f"{name}.weight": values for name, values in strengths.items()}
        self.named = {
            name: Slot(weight=weight, gradient=torch.empty(0)) for name, weight in weights.items()
        }
        self.slots = list(self.named.values())
        device = self.slots[0].weight.device
        self._targets = _targets(runs, model, device) if runs[0].decay else {}
        penalties = [run.decay.weight if run.decay else 0.0 for run in runs]
        self._penalties = torch.tensor(penalties, device=device)

    def losses_and_gradients(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean losses (R,) of a batch (S, b, features) with labels (S, b); stores the gradients."""
        weights, strengths, targets = (
            {name: self._by_seed(part) for name, part in parts.items()}
            for parts in (self._weights(), self._strengths, self._targets)
        )
        penalties = self._by_seed(self._penalties)
        each = vmap(grad_and_value(self._loss, has_aux=True), in_dims=(0, 0, 0, 0, None, None))
        with sdpa_kernel(SDPBackend.MATH):  # other backends sum in no fixed order
            gradients, (_, losses) = vmap(each)(weights, strengths, targets, penalties, x, y)
        for name, slot in self.named.items():
            slot.gradient = gradients[name].flatten(0, 1).contiguous()
        found: Tensor = losses.flatten()
        return found

    def logits(self, x: Tensor) -> Tensor:
        """Logits (R, b, classes) of inputs (b, features) shared by all runs."""
        with sdpa_kernel(SDPBackend.MATH):
            every = vmap(self._logits, in_dims=(0, 0, None))
            found: Tensor = every(self._weights(), self._strengths, x)
        return found

    def measure(self) -> dict[str, Tensor]:
        """The loop's measurements of caps and decay targets after every epoch, (R,) each."""
        found: dict[str, Tensor] = {}
        if self._run.action in CAPS:
            beyond = [
                (self.named[name].weight.abs() > values).flatten(1).sum(dim=1)
                for name, values in self._strengths.items()
            ]
            count = sum(values[0].numel() for values in self._strengths.values())
            found["cap_share"] = torch.stack(beyond).sum(dim=0).double() / count
        if self._targets:
            off = vmap(self._off)(self._weights(), self._targets)
            squares = [part.square().flatten(1).sum(dim=1).double() for part in off]
            count = sum(target[0].numel() for target in self._targets.values())
            found["target_distance"] = (torch.stack(squares).sum(dim=0) / count).sqrt()
        return found

    def _by_seed(self, part: Tensor) -> Tensor:
        """Reshape (R, ...) to (S, R / S, ...)."""
        return part.view(self._seeds, -1, *part.shape[1:])

    def _weights(self) -> dict[str, Tensor]:
        return {name: slot.weight for name, slot in self.named.items()}

    def _loss(
        self,
        weights: dict[str, Tensor],
        strengths: dict[str, Tensor],
        targets: dict[str, Tensor],
        penalty: Tensor,
        x: Tensor,
        y: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The minimised loss of one run, and the cross-entropy that is recorded."""
        logs = log_softmax(self._logits(weights, strengths, x), dim=1)
        right = y[:, None] == torch.arange(logs.shape[1], device=y.device)
        # Equals cross_entropy, whose class lookup has a nondeterministic backward pass in torch.
        loss = -torch.where(right, logs, 0.0).sum(dim=1).mean()
        recorded = loss.detach()
        if self._run.label_smoothing:
            share = self._run.label_smoothing
            loss = (1.0 - share) * loss - share * logs.mean(dim=1).mean()
        if targets:
            off = [part.square().sum() for part in self._off(weights, targets)]
            loss = loss + penalty * torch.stack(off).sum()
        return loss, recorded

    def _logits(
        self, weights: dict[str, Tensor], strengths: dict[str, Tensor], x: Tensor
    ) -> Tensor:
        effective = {name: self._act(weights[name], values) for name, values in strengths.items()}
        logits: Tensor = functional_call(self._model, {**weights, **effective}, (x,))
        return logits

    def _off(self, weights: dict[str, Tensor], targets: dict[str, Tensor]) -> list[Tensor]:
        keeps = self._run.decay is not None and self._run.decay.keep_sign
        return [
            (weights[name].abs() if keeps else weights[name]) - target
            for name, target in targets.items()
        ]


def _targets(runs: Sequence[Run], model: nn.Module, device: torch.device) -> dict[str, Tensor]:
    """The decay targets of every linear layer, (R, out, in)."""
    kernels = [run.decay.target for run in runs if run.decay is not None]
    found = {}
    for name, layer in networks.linear_layers(model):
        between = layer_distance(layer.out_features, layer.in_features)
        values = {kernel: kernel.strength(between).float() for kernel in dict.fromkeys(kernels)}
        every = torch.stack([values[kernel] for kernel in kernels])
        found[f"{name}.weight"] = every.to(device)
    return found


def activations(model: nn.Module, shape: Sequence[int]) -> int:
    """The total number of activations in a network for one input."""
    found = 0

    def count(_: nn.Module, __: object, out: Tensor) -> None:
        nonlocal found
        found += out.numel()

    inner = [part for part in model.modules() if not list(part.children())]
    hooks = [part.register_forward_hook(count) for part in inner]
    model.to("meta")(torch.empty(1, math.prod(shape), device="meta"))
    for hook in hooks:
        hook.remove()
    return found
