"""Learning-rate decay: the factor for a step as a function of the fraction of training done.

The fraction before step s of S, counted from 0, is $s / S$: the first step has the full learning
rate, and the factor would reach zero one step after the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from spatialnb.registry import Functions

Decay = Callable[[float], float]
"""From the fraction of training done, in [0, 1], to a factor of the learning rate."""

decays: Functions[Decay] = Functions("learning_rate_decay")
"""All decays by name: linear, cosine, and your own."""
register = decays.register
"""Decorator: register a decay; see :class:`~spatialnb.registry.Functions`."""


@register("linear")
def linear(done: float) -> float:
    r"""$1 - s$."""
    return 1.0 - done


@register("cosine")
def cosine(done: float) -> float:
    r"""$(1 + \cos \pi s) / 2$: slow at both ends. Loshchilov and Hutter 2017, without restarts."""
    return 0.5 * (1.0 + math.cos(math.pi * done))
