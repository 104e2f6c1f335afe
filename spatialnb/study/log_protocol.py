"""What the log states about each chapter's protocol, and what had to be inferred.

A verdict is about this book's reading of the log. The fewer parts of the protocol the log states,
the more depends on this reading. Source: the log's "Setup" paragraphs; the page "How the log was
read" lists the choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INFERRED = (
    "hidden layers",
    "optimiser",
    "learning rate",
    "batch size",
    "initialisation",
    "input scaling",
)
"""Parts of the protocol that the log states nowhere."""


@dataclass(frozen=True, kw_only=True)
class LogProtocol:
    """A chapter's protocol: what is stated, what was inferred, and the number of seeds.

    Parameters
    ----------
    stated : parts of the protocol, each with its value.
    inferred : parts that are this book's choice.
    seeds : number of networks per printed mean; if the log does not state it, that of neighbouring
        sections.
    seeds_stated : whether the log states it.
    """

    stated: tuple[str, ...]
    inferred: tuple[str, ...]
    seeds: int
    seeds_stated: bool


def _protocol(
    *stated: str, also: tuple[str, ...] = (), seeds: int, seeds_stated: bool = True
) -> LogProtocol:
    inferred = (*INFERRED, *also, *(() if seeds_stated else ("seeds",)))
    return LogProtocol(stated=stated, inferred=inferred, seeds=seeds, seeds_stated=seeds_stated)


_CIFAR = ("CIFAR-10", "12 epochs")
LOG_PROTOCOLS: Mapping[str, LogProtocol] = MappingProxyType(
    {
        "v01": _protocol("MNIST", "linear kernel 1 - d", also=("epochs",), seeds=2),
        "v02": _protocol(
            "rows normalised, times kernel, times a scale",
            also=("data", "epochs", "value of the scale", "form of the linear kernel"),
            seeds=2,
            seeds_stated=False,
        ),
        "v03": _protocol(
            "MNIST",
            "rows normalised",
            "formulas of all kernels",
            also=("epochs", "value of the scale"),
            seeds=2,
            seeds_stated=False,
        ),
        "v04": _protocol(
            "MNIST",
            "15 epochs",
            "modes",
            also=("training images", "normalisation", "shape of the schedule"),
            seeds=2,
            seeds_stated=False,
        ),
        "v05": _protocol(
            *_CIFAR,
            "kernels multiply, rows not normalised",
            also=("shape of the schedule",),
            seeds=2,
        ),
        "v06": _protocol(*_CIFAR, "shuffles of seeds 1000 and 2000", seeds=3),
        "v07": _protocol(
            *_CIFAR,
            "IMDB",
            "shared hidden layers, adapters for each task",
            "both tasks at every step",
            also=("text features", "sizes of adapters and heads", "kernels of each task", "decay"),
            seeds=2,
        ),
        "v08": _protocol(*_CIFAR, "clamping to ± the kernel", seeds=3),
        "v09": _protocol(*_CIFAR, "penalty and its weight, 0.0001", seeds=3),
        "v10": _protocol(
            *_CIFAR,
            "exponential kernel with floor 0.05",
            "first and last k",
            also=("shape of the schedule",),
            seeds=3,
        ),
        "v11": _protocol(
            "first and last k",
            "accuracy at five epochs",
            also=("epochs, as in v10", "shape of the schedule"),
            seeds=3,
            seeds_stated=False,
        ),
    }
)
"""By chapter. The chapters of Part II are not in the log; their protocol is the book's."""
