"""The networks of the log, and other networks for a prior."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from spatialnb.config import components
from spatialnb.config.run import Run
from spatialnb.priors.geometry import layer_distance, plane
from spatialnb.training.determinism import generator


def initialise(run: Run, shape: Sequence[int], classes: int) -> nn.Module:
    """The network of a run, initialised from its seed, without the prior.

    Parameters
    ----------
    run : the configuration.
    shape : of one input, (channels, height, width) or (features,).
    classes : number of outputs.
    """
    random = generator(run.seed, "initialisation")
    if run.network is not None:
        return components.networks.get(run.network)(shape, run.hidden, classes, random)
    activation = nn.ReLU if run.activation is None else components.activations.get(run.activation)
    model = mlp(math.prod(shape), run.hidden, classes, random, activation)
    if run.initialisation is not None:
        draw = components.initialisations.get(run.initialisation)
        for _, layer in linear_layers(model):
            draw(layer, random, run)
    return model


FILTERS = (16, 32)
"""Numbers of filters in the convolutional network's two layers."""
SIDE = 4
"""Number of patches per side of a transformer's image."""
WIDTH, HEADS = 64, 4
"""Width of a transformer's tokens, and its number of attention heads."""


def mlp(
    features: int,
    hidden: Sequence[int],
    classes: int,
    generator: torch.Generator,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    r"""A multilayer perceptron with ReLU, or another activation, between its layers.

    Weights are drawn from $N(0, 2 / \text{fan\_in})$ (Kaiming normal, He et al. 2015); biases are
    0. Attach a prior only after this initialisation.

    Parameters
    ----------
    features, hidden, classes : widths of the input, the hidden layers and the output.
    generator : the only source of randomness.
    activation : creates the module between two layers. Weights are drawn as for ReLU in any case.

    Returns
    -------
    nn.Sequential : from inputs (batch, features) to logits (batch, classes).
    """
    widths = [features, *hidden, classes]
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(widths):
        layers += [linear(into, out, generator), activation()]
    return nn.Sequential(*layers[:-1])


class TwoTask(nn.Module):
    """Two tasks with shared hidden layers, and one adapter and one head per task. Log, v7.

    Parameters
    ----------
    features, classes : of the first and of the second task.
    hidden : widths; the adapters map to the first one, the shared layers are between the others.
    shared : if False, each task has its own hidden layers, so there are two separate networks.
    generator : the only source of randomness. The second task's own layers are drawn last, so that
        all other weights are the same in both cases.
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


def convolutional(
    shape: Sequence[int], hidden: Sequence[int], classes: int, generator: torch.Generator
) -> nn.Sequential:
    """Two convolutional layers with the log's network as the classifier.

    Each convolution has 3 by 3 filters, keeps the size of the image, and is followed by 2 by 2 max
    pooling and ReLU. The result is flattened channel by channel. Initialised as :func:`mlp`; all
    linear layers belong to the classifier.

    Parameters
    ----------
    shape : of an image, (channels, height, width), at least 4 by 4 pixels.
    hidden, classes : widths of the classifier's hidden layers and of the output.
    generator : the only source of randomness.

    Returns
    -------
    nn.Sequential : from flattened images (batch, features) to logits (batch, classes).

    Raises
    ------
    ValueError : `shape` is not that of an image, or the image is too small.
    """
    channels, height, width = _image(shape)
    layers: list[nn.Module] = [nn.Unflatten(1, (channels, height, width))]
    for into, out in itertools.pairwise((channels, *FILTERS)):
        layers += [_convolution(into, out, generator), nn.MaxPool2d(2), nn.ReLU()]
    features = FILTERS[-1] * (height // 4) * (width // 4)
    return nn.Sequential(*layers, nn.Flatten(), *mlp(features, hidden, classes, generator))


def convolutional_pooled(
    shape: Sequence[int], hidden: Sequence[int], classes: int, generator: torch.Generator
) -> nn.Sequential:
    """Convolutions with `hidden` filters, global average pooling, and a linear layer.

    Each convolution is as in :func:`convolutional`. Nearly all weights are in the convolutions, so
    `hidden` sets their number: 195,111 with (47, 94, 180), on colour images. Global average pooling
    instead of a wide classifier is from Lin et al. 2014.

    Parameters
    ----------
    shape : of an image, (channels, height, width), at least 4 by 4 pixels.
    hidden : number of filters in each convolution; each one halves the sides of the image.
    classes, generator : as for :func:`convolutional`.

    Raises
    ------
    ValueError : `shape` is not that of an image, there are no filters, or there are more layers
        than the image can be halved.
    """
    channels, height, width = _image(shape)
    if not hidden or min(height, width) < 2 ** len(hidden):
        most = int(math.log2(min(height, width)))
        raise ValueError(
            f"hidden: a pooled convolutional network on images of {height} by {width} needs 1 to "
            f"{most} layers, got {len(hidden)}"
        )
    layers: list[nn.Module] = [nn.Unflatten(1, (channels, height, width))]
    for into, out in itertools.pairwise((channels, *hidden)):
        layers += [_convolution(into, out, generator), nn.MaxPool2d(2), nn.ReLU()]
    left = (height // 2 ** len(hidden), width // 2 ** len(hidden))
    last = _projection(hidden[-1], classes, generator)
    return nn.Sequential(*layers, nn.AvgPool2d(left), nn.Flatten(), last)


class Transformer(nn.Module):
    r"""A small vision transformer (Dosovitskiy et al. 2021).

    The image is split into 4 by 4 patches, which become tokens of width 64 with learned position
    embeddings. After the blocks, the tokens are normalised, and their mean is classified. The MLPs'
    layers are named ``blocks.<number>.mlp.<index>`` and initialised as in :func:`mlp`; the other
    weights are drawn from $N(0, 1 / \text{fan in})$, position embeddings from $N(0, 0.02^2)$.

    Parameters
    ----------
    shape : of an image, (channels, height, width), with both sides a multiple of 4.
    hidden : widths of the MLPs' hidden layers, one per block.
    classes : number of outputs.
    generator : the only source of randomness.

    Raises
    ------
    ValueError : `shape` is not that of an image, or its sides are not multiples of 4.
    """

    def __init__(
        self, shape: Sequence[int], hidden: Sequence[int], classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.shape = _image(shape)
        channels, height, width = self.shape
        if height % SIDE or width % SIDE:
            raise ValueError(
                f"shape: a transformer needs images whose sides are multiples of {SIDE}, got "
                f"{height} by {width}"
            )
        self.patch = (height // SIDE, width // SIDE)
        self.embed = _projection(channels * self.patch[0] * self.patch[1], WIDTH, generator)
        start = torch.empty(SIDE * SIDE, WIDTH).normal_(std=0.02, generator=generator)
        self.positions = nn.Parameter(start)
        self.blocks = nn.Sequential(*(_Block(inside, generator) for inside in hidden))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = _projection(WIDTH, classes, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) of flattened images (batch, features)."""
        tokens = self.blocks(self.embed(self._patches(x)) + self.positions)
        logits: Tensor = self.head(self.norm(tokens).mean(dim=1))
        return logits

    @staticmethod
    def takes_prior(name: str) -> bool:
        """Whether the prior acts on the layer with this name, that is, on layers of the MLPs."""
        return ".mlp." in name

    def _patches(self, x: Tensor) -> Tensor:
        """The patches of flattened images, (batch, patches, features of a patch)."""
        high, wide = self.patch
        parts = x.reshape(len(x), self.shape[0], SIDE, high, SIDE, wide)
        return parts.permute(0, 2, 4, 1, 3, 5).reshape(len(x), SIDE * SIDE, -1)


class _Block(nn.Module):
    """A pre-norm transformer block: attention and an MLP, each with a residual connection."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.mix = _projection(WIDTH, 3 * WIDTH, generator)
        self.out = _projection(WIDTH, WIDTH, generator)
        self.mlp = mlp(WIDTH, (hidden,), WIDTH, generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, tokens, width) to tokens."""
        mixed = self.mix(self.norms[0](tokens)).unflatten(2, (3, HEADS, WIDTH // HEADS))
        queries, keys, values = mixed.permute(2, 0, 3, 1, 4)
        heads = scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.out(heads.transpose(1, 2).flatten(2))
        added: Tensor = tokens + self.mlp(self.norms[1](tokens))
        return added


def _image(shape: Sequence[int]) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape[1:]) < SIDE:
        raise ValueError(
            f"shape: this network needs images of at least {SIDE} by {SIDE} pixels, (channels, "
            f"height, width), got {tuple(shape)}"
        )
    channels, height, width = shape
    return channels, height, width


def _projection(into: int, out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer not followed by ReLU, with weights from N(0, 1 / fan in)."""
    layer = linear(into, out, generator)
    with torch.no_grad():
        layer.weight.div_(math.sqrt(2.0))
    return layer


def _convolution(into: int, out: int, generator: torch.Generator) -> nn.Conv2d:
    """A 3 by 3 convolution with Kaiming normal weights and zero biases; see :func:`linear`."""
    layer = nn.Conv2d(into, out, 3, padding=1, device="meta").to_empty(device="cpu")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    # The same numbers in a memory layout that is a third faster on a CPU here.
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return layer


def linear(into: int, out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with Kaiming normal weights (out, in) and zero biases."""
    # Created without storage: nn.Linear would draw from, and change, torch's global generator.
    layer = nn.Linear(into, out, device="meta").to_empty(device="cpu")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def linear_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """The linear layers of a model by name, first to last."""
    return [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]


def prior_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """The linear layers that a run's prior acts on, first to last.

    These are all of them, or those for which the model's ``takes_prior`` returns True.
    """
    takes_prior = getattr(model, "takes_prior", lambda name: True)
    return [(name, layer) for name, layer in linear_layers(model) if takes_prior(name)]


def distances(run: Run, model: nn.Module, shape: Sequence[int]) -> list[Tensor]:
    """Distances (out, in) of every layer on which a run's prior acts, first to last.

    Raises
    ------
    ValueError : the run uses the pixel grid, but `shape`, that of an input, is not an image's.
    """
    shapes = [(layer.out_features, layer.in_features) for _, layer in prior_layers(model)]
    if run.positions == "plane":
        return plane(shape, *(out for out, _ in shapes), permuted=run.permuted_pixels)
    return [layer_distance(*shape) for shape in shapes]


def effective_weights(model: nn.Module) -> dict[str, Tensor]:
    """The effective weights (out, in) by layer, which a prior computes from the learned ones."""
    return {name: layer.weight.detach().clone() for name, layer in linear_layers(model)}


@torch.no_grad()
def zeros(model: nn.Module) -> float:
    """Fraction of the effective weights of a model's linear layers that are zero."""
    weights = [layer.weight for layer in (part for _, part in linear_layers(model))]
    return sum(int((w == 0.0).sum()) for w in weights) / sum(w.numel() for w in weights)
