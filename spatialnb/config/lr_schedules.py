"""Learning rates that fall: the factor of a step, by the share of the training that is done.

The share before step s of S, counted from 0, is $s / S$: the first step has the whole learning
rate, and zero is where the step after the last one would stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from spatialnb.registry import unknown

Decay = Callable[[float], float]
"""From the share of the training that is done, in [0, 1], to a factor of the learning rate."""


def linear(done: float) -> float:
    r"""$1 - s$."""
    return 1.0 - done


def cosine(done: float) -> float:
    r"""$(1 + \cos \pi s) / 2$: slow at both ends. Loshchilov and Hutter 2017, without restarts."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


DECAYS: dict[str, Decay] = {"linear": linear, "cosine": cosine}
"""Every decay by name."""


def decay(name: str) -> Decay:
    """The decay of that name. ValueError names those there are."""
    if name not in DECAYS:
        raise ValueError(unknown("learning_rate_decay", name, DECAYS))
    return DECAYS[name]
