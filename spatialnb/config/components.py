"""What a run names by a word: its network, activation, initialisation and optimiser.

Each is a registry of functions. The package's own are in :mod:`spatialnb.training.networks` and
:mod:`spatialnb.training.optimizers`; one of your own is registered from a notebook or a file, with
``@networks.register("name")``. A name stands in the run's id, so no name is given twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spatialnb.registry import Functions

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

Network = Callable[[Sequence[int], Sequence[int], int, "Generator"], "nn.Module"]
"""From the shape of an input, the hidden widths, the number of classes and a generator, the only
source of chance, to a network of inputs (batch, features) to logits (batch, classes)."""
Activation = Callable[[], "nn.Module"]
"""Makes the module between two layers of a multilayer perceptron."""
Initialisation = Callable[["nn.Linear", "Generator", Any], None]
"""Draws weights and biases of a layer anew, from the generator, for the run."""
MakeOptimizer = Callable[["Iterable[Tensor]", Any], "Optimizer"]
"""From all parameters of a network, and the run, to their optimiser. It takes the learning rate
from ``run.learning_rate``; one that decays weights takes ``run.weight_decay``."""

networks: Functions[Network] = Functions(
    "network",
    {
        "convolutional": "spatialnb.training.networks:convolutional",
        "convolutional_pooled": "spatialnb.training.networks:convolutional_pooled",
        "transformer": "spatialnb.training.networks:Transformer",
    },
)
"""What a run can ask for instead of a multilayer perceptron."""
activations: Functions[Activation] = Functions("activation", {"leaky_relu": "torch.nn:LeakyReLU"})
"""What a run can ask for instead of ReLU."""
initialisations: Functions[Initialisation] = Functions(
    "initialisation",
    {name: f"spatialnb.training.initialisation:{name}" for name in ("torch_default", "normal")},
)
"""What a run can ask for instead of Kaiming normal weights and zero biases."""
optimizers: Functions[MakeOptimizer] = Functions(
    "optimizer",
    {name: f"spatialnb.training.optimizers:{name}" for name in ("adam", "sgd", "adamw", "madam")},
)
"""The optimisers that a run can ask for."""
DECAYING: list[str] = ["adamw"]
"""Those that need ``weight_decay``; the others refuse it. Add yours here if it takes one."""
