"""The networks of the report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def mlp(
    features: int, hidden: Sequence[int], classes: int, generator: torch.Generator
) -> nn.Sequential:
    r"""A multilayer perceptron with ReLU between its layers.

    Weights are drawn from $N(0, 2 / \text{fan\_in})$ (Kaiming normal, He et al. 2015); biases
    are 0.
    Attach a prior afterwards: initialise first.

    Parameters
    ----------
    features, hidden, classes : widths of the input, the hidden layers and the output.
    generator : the only source of chance.

    Returns
    -------
    nn.Sequential : (batch, features) to logits (batch, classes).
    """
    widths = [features, *hidden, classes]
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(widths):
        layers += [linear(into, out, generator), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class TwoTask(nn.Module):
    """Two tasks with hidden layers in common, and an adapter and a head each. Report, v7.

    Parameters
    ----------
    features, classes : of the first and of the second task.
    hidden : widths; the adapters lead to the first one, the shared layers go through the others.
    shared : with False each task has hidden layers of its own: two separate networks.
    generator : the only source of chance. The second task's own layers are drawn last, so that all
        other weights are the same either way.
    """

    def __init__(
        self,
        features: tuple[int, int],
        hidden: Sequence[int],
        classes: tuple[int, int],
        *,
        shared: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.adapters = nn.ModuleList([linear(f, hidden[0], generator) for f in features])
        trunks = [self._trunk(hidden, generator)]
        self.heads = nn.ModuleList([linear(hidden[-1], c, generator) for c in classes])
        self.trunks = nn.ModuleList(trunks if shared else [*trunks, self._trunk(hidden, generator)])

    @staticmethod
    def _trunk(hidden: Sequence[int], generator: torch.Generator) -> nn.Sequential:
        layers: list[nn.Module] = [nn.ReLU()]
        for into, out in itertools.pairwise(hidden):
            layers += [linear(into, out, generator), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, x: Tensor, task: int) -> Tensor:
        """Logits (batch, classes) of inputs (batch, features) of task 0 or 1."""
        trunk = self.trunks[task % len(self.trunks)]
        logits: Tensor = self.heads[task](trunk(self.adapters[task](x)))
        return logits


def linear(into: int, out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with Kaiming normal weights (out, in) and zero biases."""
    # Made without storage first: nn.Linear would draw from, and change, torch's global generator.
    layer = nn.Linear(into, out, device="meta").to_empty(device="cpu")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def linear_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """The linear layers of a model by name, first to last."""
    return [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]


def effective_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights (out, in) that act, by layer: what a prior makes of the learned ones."""
    return {name: layer.weight.detach().clone() for name, layer in linear_layers(model)}
