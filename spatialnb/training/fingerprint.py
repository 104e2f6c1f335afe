"""A fingerprint of a run's user-defined parts: a few numbers that their code computes.

The name and settings of a user-defined kernel, network or optimiser are part of a run's id, but its
code is not. The record of such a run therefore stores a few numbers computed by the code, and is
refused if the code now computes different ones.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from spatialnb.config import user_definitions
from spatialnb.config.run import Run
from spatialnb.priors.actions import actions

if TYPE_CHECKING:
    from torch import Tensor

    from spatialnb.datasets import Dataset

TOLERANCE = 1e-6
"""Allowed relative difference of a formula's numbers between CPUs."""
TRAINED_TOLERANCE = 1e-3
"""Allowed relative difference of the losses of a short training in single precision."""
SAMPLES, BATCH, EPOCHS = 8, 4, 2
"""Training samples, batch size and epochs of that short training."""


def definition(run: Run) -> dict[str, list[float]] | list[float] | None:
    """Numbers computed by a run's user-defined parts; None if no part is user-defined.

    Returns
    -------
    For kernels, schedules and actions, a list: sums of effective weights. If a network, activation,
    optimiser, learning-rate decay or intervention is user-defined, a dict with this list as
    ``formulas``, and the losses of a short training on random data as ``losses``.
    """
    formulas = user_definitions.formulas_of(run)
    parts = user_definitions.parts_of(run)
    if parts:
        return {"formulas": _effective(run) if formulas else [], "losses": _losses(run)}
    return _effective(run) if formulas else None


def same_definition(run: Run, recorded: Any) -> bool:
    """Whether the code behind a run computes the same numbers as when the run was recorded."""
    now = definition(run)
    if now is None:
        return True
    if isinstance(now, list):
        return _close(recorded, now, TOLERANCE)
    return (
        isinstance(recorded, dict)
        and _close(recorded.get("formulas"), now["formulas"], TOLERANCE)
        and _close(recorded.get("losses"), now["losses"], TRAINED_TOLERANCE)
    )


def _close(recorded: Any, now: list[float], tolerance: float) -> bool:
    if not isinstance(recorded, list) or len(recorded) != len(now):
        return False
    return all(
        isinstance(old, float) and math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance)
        for old, new in zip(recorded, now, strict=True)
    )


def _effective(run: Run) -> list[float]:
    import torch  # here, as below: runs without user-defined parts do not need it

    from spatialnb.priors.geometry import layer_distance

    distance = layer_distance(5, 7)
    place = torch.arange(35, dtype=torch.float64).reshape(5, 7)
    weight, every = torch.sin(place), torch.cos(place)
    plans = [run.schedule, *([run.second.schedule] if run.second else [])]
    steps = [plan.at(progress) for plan in plans for progress in (0.0, 0.3, 1.0)]
    targets = [run.decay.target] if run.decay else []
    act = actions.get(run.action)
    numbers = [act(weight, kernel.strength(distance)) for kernel in steps]
    numbers += [target.strength(distance) for target in targets]
    return [float((part * every).sum()) for part in numbers]


def _losses(run: Run) -> list[float]:
    """Training losses of a few steps on random samples in the shape of the run's data."""
    from spatialnb.training import loop

    small = dataclasses.replace(
        run,
        second=None,
        prune=None,
        train_size=None,
        validation_size=None,
        batch_size=BATCH,
        epochs=EPOCHS,
    )
    outcome = loop.train(small, _made(run)).outcome
    return [float(loss) for loss in outcome["epochs"]["train_loss"]]


def _made(run: Run) -> Dataset:
    import torch

    from spatialnb.datasets import Dataset, Split, edition

    entry = edition(run.dataset)
    features = math.prod(entry.shape)

    def split(seed: int) -> Split:
        random = torch.Generator().manual_seed(seed)
        x: Tensor = torch.randn(SAMPLES, features, generator=random)
        return Split(x=x, y=torch.arange(SAMPLES) % entry.classes)

    return Dataset(
        name=entry.name,
        title=entry.title,
        quick=entry.quick,
        train=split(0),
        test=split(1),
        shape=entry.shape,
        classes=entry.classes,
        mean=torch.zeros(features),
        std=torch.ones(features),
        sha256="",
    )
