"""Compare stacks on the device with the loop on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHORT = {"float32": 5e-3, "tf32": 5e-2}
"""Tolerance of losses (relative) and accuracies (absolute) after twenty steps. Products are summed
in another order, which changes a sum by 1e-7; this grows if a ReLU takes the other branch, or one
of Adam's first steps, which depend on the sign of a gradient. TF32 rounds factors to 10 bits,
1e-3."""
OTHERS = 2e-2
"""The same for caps and other networks, in which two nearly equal numbers can swap at a cap or a
maximum. On one CPU, the difference was 0.0015 for a cap and 0.0011 for a convolutional network."""
WHOLE = {"loss": 0.03, "accuracy": 0.03}
"""The same after a whole epoch of 391 steps, when runs have diverged like those of different seeds.
On one CPU, the difference was 0.009."""


def worst(
    ours: Mapping[str, Sequence[float]], loops: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """The largest difference of each quantity: absolute for accuracies, relative for others."""
    return {
        name: max(
            abs(a - b) / (1.0 if name.endswith("accuracy") else max(abs(b), 1e-9))
            for a, b in zip(ours[name], theirs, strict=True)
        )
        for name, theirs in loops.items()
    }


def is_near(found: Mapping[str, float], loss: float, accuracy: float) -> bool:
    """Whether all differences are within tolerance; NaN is not."""
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
    """Train runs of one program as a stack, and compare each with the loop's result.

    Parameters
    ----------
    runs, loops : the runs, and their results in the loop, by name.
    data : the data set.
    options : options of the stack, :class:`spatialnb.training.batched.Options`.
    tolerance : tolerances of losses and of accuracies.

    Returns
    -------
    ``near``, whether all are within tolerance; the tolerance, how the stack was made, its messages,
    and the largest differences by run.
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
