"""Stacks on the device against the loop on the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHORT = {"float32": 5e-3, "tf32": 5e-2}
"""How far losses (relative) and accuracies (absolute) may lie from the loop's after twenty steps.
Products are summed in another order, 1e-7 of a sum, and where a ReLU or Adam's first steps, which
go by the sign of a gradient, take another branch, that grows; TF32 rounds what is multiplied to 10
bits, 1e-3."""
OTHERS = 2e-2
"""The same for caps and other networks: at a cap or a maximum two nearly equal numbers change
places. On one processor a cap has come out 0.0015 apart, and a convolutional network 0.0011."""
WHOLE = {"loss": 0.03, "accuracy": 0.03}
"""The same after a whole epoch of 391 steps, when a run is another one of the same kind: on one
processor 0.009 apart."""


def worst(
    ours: Mapping[str, Sequence[float]], loops: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """The largest difference of each quantity: relative, and of an accuracy absolute."""
    return {
        name: max(
            abs(a - b) / (1.0 if name.endswith("accuracy") else max(abs(b), 1e-9))
            for a, b in zip(ours[name], theirs, strict=True)
        )
        for name, theirs in loops.items()
    }


def is_near(found: Mapping[str, float], loss: float, accuracy: float) -> bool:
    """Whether no quantity is farther than it may be; NaN is."""
    return all(
        value <= (accuracy if name.endswith("accuracy") else loss) for name, value in found.items()
    )


def compare(
    runs: Mapping[str, Any],
    loops: Mapping[str, Mapping[str, Sequence[float]]],
    data: Any,
    options: Any,
    tolerance: tuple[float, float],
) -> dict[str, Any]:
    """Train runs of one program as a stack, and set each beside the loop's.

    Parameters
    ----------
    runs, loops : by name, the runs and what came of them in the loop.
    data : the data set.
    options : of the stack, :class:`spatialnb.training.batched.Options`.
    tolerance : of losses and of accuracies.

    Returns
    -------
    ``near``, the largest differences by run, what was asked for, and what was said of it.
    """
    from spatialnb.training import batched

    said: list[str] = []
    ours = batched.train(list(runs.values()), data, options=options, say=said.append)
    differences = {
        name: worst(one.outcome["epochs"], loops[name])
        for name, one in zip(runs, ours, strict=True)
    }
    return {
        "near": all(is_near(found, *tolerance) for found in differences.values()),
        "tolerance": tolerance,
        "made": ours[0].made,
        "said": said,
        "differences": differences,
    }
