"""Components that a run selects by name: network, activation, initialisation and optimiser.

Each is a registry of functions. The package's own are in :mod:`spatialnb.training.networks` and
:mod:`spatialnb.training.optimizers`; register your own from a notebook or a file with
``@networks.register("name")``. The name is part of the run's id, so names must be unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spatialnb.registry import Functions

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

Network = Callable[[Sequence[int], Sequence[int], int, "Generator"], "nn.Module"]
"""Takes the shape of an input, the hidden widths, the number of classes and a generator, the only
source of randomness; returns a network from inputs (batch, features) to logits (batch, classes)."""
Activation = Callable[[], "nn.Module"]
"""Creates the activation module between two layers of a multilayer perceptron."""
Initialisation = Callable[["nn.Linear", "Generator", Any], None]
"""Initialises the weights and biases of a layer, from a generator, for a run."""
MakeOptimizer = Callable[["Iterable[Tensor]", Any], "Optimizer"]
"""Takes all parameters of a network, and the run. Returns their optimiser, with the learning rate
``run.learning_rate`` and, if it uses weight decay, ``run.weight_decay``."""

networks: Functions[Network] = Functions(
    "network",
    {
        "convolutional": "spatialnb.training.networks:convolutional",
        "convolutional_pooled": "spatialnb.training.networks:convolutional_pooled",
        "transformer": "spatialnb.training.networks:Transformer",
    },
)
"""Networks that a run can use instead of a multilayer perceptron."""
activations: Functions[Activation] = Functions("activation", {"leaky_relu": "torch.nn:LeakyReLU"})
"""Activations that a run can use instead of ReLU."""
initialisations: Functions[Initialisation] = Functions(
    "initialisation",
    {name: f"spatialnb.training.initialisation:{name}" for name in ("torch_default", "normal")},
)
"""Initialisations that a run can use instead of Kaiming normal weights and zero biases."""
optimizers: Functions[MakeOptimizer] = Functions(
    "optimizer",
    {name: f"spatialnb.training.optimizers:{name}" for name in ("adam", "sgd", "adamw", "madam")},
)
"""The optimisers that a run can use."""
DECAYING: list[str] = ["adamw"]
"""Optimisers that need ``weight_decay``; the others refuse it. Add your own here if it needs it."""
