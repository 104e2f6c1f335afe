"""How many weights a run's network has, and how many of them are not zero.

Weights are those of linear layers and of convolutions; biases, positions of tokens and the numbers
of a normalisation are not counted.
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
    """Weights of a run's network, zeros among them.

    Raises
    ------
    ValueError : the run trains two tasks.
    """
    if run.second is not None:
        raise ValueError("weights: expected one task; two have adapters of their own")
    edition = datasets.edition(run.dataset)
    model = networks.initialise(run, edition.shape, edition.classes)
    counted = [part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return sum(part.weight.numel() for part in counted)


def weights_left(record: Record) -> int:
    """Weights of a recorded run's network that are not zero at the end of the training.

    Raises
    ------
    ValueError : as for :func:`weights`. KeyError : a sparse run whose record counts no zeros.
    """
    sparse = record.config.get("sparse") is not None
    share = 1.0 - float(record.outcome["final"]["zeros"]) if sparse else 1.0
    return round(share * _weights(canonical({**record.config, "seed": 0})))


@functools.cache
def _weights(config: str) -> int:
    """The same of a configuration: an arm's seeds have as many."""
    return weights(Run.from_dict(json.loads(config)))
