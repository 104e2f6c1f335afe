"""Table of settings that exclude each other, checked whenever a run is created.

A user-defined intervention checks its own combinations, in
:meth:`spatialnb.config.intervention.Intervention.check`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Exclusion(NamedTuple):
    """A setting that cannot be combined with any of some others."""

    setting: str
    others: tuple[str, ...]
    message: str


_MLP = ("decay", "second", "folded", "positions", "sparse", "prune")
_KAIMING = (
    "initialisation: expected a multilayer perceptron and one task; leave out network and second"
)
_NO_PRIOR = ("folded", "decay", "second", "sparse", "prune")
_ONE_TASK = (
    "activation, dead_neurons and permuted_units: expected a multilayer perceptron and one task; "
    "leave out network and second"
)
_NOT_FOLDED = "sparse and prune: expected one task, and a prior that is not folded"
_ON_A_LINE = "positions: decay, second and folded need 1-D index order; leave positions out"

EXCLUSIONS = (
    Exclusion(
        "second",
        ("decay", "train_size", "validation_size"),
        "second: expected no decay and all samples; leave out decay, train_size and "
        "validation_size",
    ),
    Exclusion(
        "second",
        ("learning_rate_decay", "folded"),
        "second: expected no learning_rate_decay and no folded; leave them out",
    ),
    Exclusion(
        "second",
        ("interventions",),
        "second: two tasks are trained without interventions; leave out one of the two",
    ),
    Exclusion("activation", ("network", "second"), _ONE_TASK),
    Exclusion("dead_neurons", ("network", "second"), _ONE_TASK),
    Exclusion("permuted_units", ("network", "second"), _ONE_TASK),
    Exclusion("initialisation", ("network", "second", "sparse"), _KAIMING),
    Exclusion("input_scaling", ("second",), "second: text is not scaled; leave input_scaling out"),
    Exclusion(
        "network",
        _MLP,
        f"network: {', '.join(_MLP)} need a multilayer perceptron; leave network out",
    ),
    Exclusion("positions", ("decay", "second", "folded"), _ON_A_LINE),
    Exclusion(
        "folded", ("weight_decay",), "folded: weight decay on learned weights cannot be folded"
    ),
    Exclusion(
        "folded", ("decay",), "folded: only the action multiply can be folded, without decay"
    ),
    Exclusion(
        "sparse",
        ("prune",),
        "sparse and prune: give only one, zeros from the start or zeros at the end",
    ),
    Exclusion("sparse", ("second", "folded"), _NOT_FOLDED),
    Exclusion("prune", ("second", "folded"), _NOT_FOLDED),
    Exclusion(
        "prune",
        ("decay", "learning_rate_decay"),
        "prune: the epoch after pruning has a constant learning rate and no decay; leave out "
        "learning_rate_decay and decay",
    ),
    Exclusion(
        "dropout",
        ("network", "second", "prune"),
        "dropout: expected a multilayer perceptron, one task and no pruning; leave out network, "
        "second and prune",
    ),
    Exclusion(
        "augmentation", ("second", "prune"), "augmentation: expected no second task and no prune"
    ),
    Exclusion(
        "label_smoothing",
        ("second", "prune"),
        "label_smoothing: expected no second task and no prune",
    ),
    Exclusion(
        "mask_locality",
        ("network", "second"),
        "mask_locality: expected a multilayer perceptron and one task; leave out network and "
        "second",
    ),
    Exclusion("rotation", ("second",), "rotation: expected one task; leave second out"),
    Exclusion(
        "learned_rotation", ("second",), "learned_rotation: expected one task; leave second out"
    ),
    Exclusion(
        "reparametrisation",
        (*_NO_PRIOR, "asymmetric", "permuted_units"),
        f"reparametrisation: expected no {', '.join(_NO_PRIOR)}, asymmetric or permuted_units",
    ),
    Exclusion("asymmetric", _NO_PRIOR, f"asymmetric: expected no {', '.join(_NO_PRIOR)}"),
)
"""All settings that cannot be combined."""


def check(run: Any) -> None:
    """Raise ValueError if two settings of a run exclude each other; None counts as not given."""
    for setting, others, message in EXCLUSIONS:
        given = getattr(run, setting) is not None
        if given and any(getattr(run, other) is not None for other in others):
            raise ValueError(message)
