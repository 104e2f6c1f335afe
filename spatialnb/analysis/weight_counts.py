"""Count the weights of a run's network, and those that are not zero.

Only weights of linear layers and convolutions count, not biases, position embeddings and the
parameters of normalisation layers.
"""

from __future__ import annotations

import functools
import json

from torch import nn

from spatialnb import datasets
from spatialnb.config.run import Run, canonical
from spatialnb.records.store import Record
from spatialnb.training import networks


def weights(run: Run) -> int:
    """Number of weights of a run's network, including zeros.

    Raises
    ------
    ValueError : the run trains two tasks.
    """
    if run.second is not None:
        raise ValueError("weights: expected a run of one task, got one of two tasks")
    edition = datasets.edition(run.dataset)
    model = networks.initialise(run, edition.shape, edition.classes)
    counted = [part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return sum(part.weight.numel() for part in counted)


def weights_left(record: Record) -> int:
    """Number of weights of a recorded run's network that are not zero after training.

    Raises
    ------
    ValueError : as for :func:`weights`. KeyError : a sparse run whose record has no count of zeros.
    """
    sparse = record.config.get("sparse") is not None
    share = 1.0 - float(record.outcome["final"]["zeros"]) if sparse else 1.0
    return round(share * _weights(canonical({**record.config, "seed": 0})))


@functools.cache
def _weights(config: str) -> int:
    """The number of weights of a run, given as JSON; cached, since all seeds have the same."""
    return weights(Run.from_dict(json.loads(config)))
