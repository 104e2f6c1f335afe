"""What a run's user-defined parts compute, in a few numbers.

The name and the settings of a kernel, a network or an optimiser of your own take part in a run's
id; its code cannot. So the record of such a run keeps a few numbers that the code gave, and is
refused where it gives others now.
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
"""Relative difference of two numbers of a formula that another processor may make."""
TRAINED_TOLERANCE = 1e-3
"""The same for losses of a training in single precision."""
SAMPLES, BATCH, EPOCHS = 8, 4, 2
"""Training samples of that training, its batches and its epochs."""


def definition(run: Run) -> dict[str, list[float]] | list[float] | None:
    """Numbers that a run's formulas give, where any is user-defined; None where none is.

    Returns
    -------
    Of kernels, schedules and actions, a list: sums of effective weights. Where a network, an
    activation, an optimiser, a learning rate's decay or an intervention is user-defined, an object
    that has this list as ``formulas``, and as ``losses`` those of a short training on made data.
    """
    formulas = user_definitions.formulas_of(run)
    parts = user_definitions.parts_of(run)
    if parts:
        return {"formulas": _effective(run) if formulas else [], "losses": _losses(run)}
    return _effective(run) if formulas else None


def same_definition(run: Run, recorded: Any) -> bool:
    """Whether the code behind a run gives what it gave when the run was recorded."""
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
    import torch  # here, as below: to say that nothing is user-defined needs none

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
    """Training losses of a few steps on made samples of the shape of the run's data."""
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
