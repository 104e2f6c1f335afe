"""Learning rates that fall: the factor of a step, by the share of the training that is done.

The share before step s of S, counted from 0, is $s / S$: the first step has the whole learning
rate, and zero is where the step after the last one would stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from spatialnb.registry import Functions

Decay = Callable[[float], float]
"""From the share of the training that is done, in [0, 1], to a factor of the learning rate."""

decays: Functions[Decay] = Functions("learning_rate_decay")
"""Every decay by name: linear, cosine, and your own."""
register = decays.register
"""Decorator: make a decay known by a name; see :class:`~spatialnb.registry.Functions`."""


@register("linear")
def linear(done: float) -> float:
    r"""$1 - s$."""
    return 1.0 - done


@register("cosine")
def cosine(done: float) -> float:
    r"""$(1 + \cos \pi s) / 2$: slow at both ends. Loshchilov and Hutter 2017, without restarts."""
    return 0.5 * (1.0 + math.cos(math.pi * done))
