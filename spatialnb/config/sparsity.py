"""Configuration of sparse weights: zeros from the start, or after training.

The implementation is in :mod:`spatialnb.training.sparse_optimizers` and
:mod:`spatialnb.training.interventions.pruning`. It is separate so that a run's configuration can be
read without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from spatialnb.registry import check_fields, unknown

METHODS = ("static", "set", "rigl", "granet", "st3", "imp")
"""Sparse training methods: fixed mask, SET, RigL, GraNet, ST-3, and iterative magnitude pruning."""
PLACES = ("random", "band", "nearest", "window")
"""Initial masks: random, a layer's shortest connections, each unit's nearest inputs, or a square
window of pixels."""
LAYERS = ("first",)
"""Choices of sparse layers other than all layers."""
FAN_INS = ("dense",)
"""Fan-in for the initial weights, other than the number of connections that are kept."""
CRITERIA = ("kernel", "magnitude", "random")
"""Pruning criteria after training: smallest kernel values, smallest effective weights, random."""


@dataclass(frozen=True, kw_only=True)
class Sparse:
    r"""Sparse training, with zeros from the first step on.

    Parameters
    ----------
    zeros : fraction of zeros, between 0 and 1.
    method : ``static``, a fixed mask; ``set`` (Mocanu et al. 2018: after every epoch but the last,
        the smallest 30 % of a layer's weights are replaced by as many random connections);
        ``rigl`` (Evci et al. 2020: every 100 steps until 75 % of training, a fraction that decays
        from 30 % by a cosine is replaced by the connections with the largest gradients); in both,
        new weights start at zero; ``granet`` (Liu et al. 2021: starts from half of the weights and
        prunes gradually, while some connections regrow where the gradient is largest); ``st3``
        (Vanderschueren and De Vleeschouwer 2023: a rising soft threshold with straight-through
        gradients); ``imp`` (Frankle and Carbin 2019: trained, pruned and rewound, `rounds` times).
    places : the initial mask: ``random``, an Erdős–Rényi graph with a given number of edges;
        ``band``, the shortest connections of a layer; ``nearest``, the same number for every unit,
        its nearest inputs by the run's positions, with the channels of a pixel kept together on
        the pixel grid; ``window``, a square of pixels around each unit of the first layer. See
        :mod:`spatialnb.priors.local_masks`.
    rounds : for ``imp`` only: the number of rounds of equal length into which training is divided.
        A learning-rate decay restarts in each round.
    rewind : for ``imp`` only: every later round starts from the weights after this many epochs of
        the first (Frankle et al. 2020); default: from the initial weights.
    fan_in : ``dense``: kept weights start as in the dense layer, from $N(0, 2 / \text{fan in})$
        with the fan-in of all inputs. Default: from $N(0, 2 / \text{fan in})$ with the fan-in of
        the kept inputs, a fraction s of all, which divides the weights by $\sqrt s$. Not for
        ``st3`` and ``imp``, which start dense.
    layers : ``first`` for the first layer only, where ``random`` gives every unit as many inputs
        as ``nearest`` does; default: every layer.
    """

    zeros: float
    method: str = "static"
    places: str = "random"
    layers: str | None = None
    rounds: int | None = None
    fan_in: str | None = None
    rewind: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        _check_zeros("Sparse.zeros", self.zeros)
        for what, value, known in (
            ("method", self.method, METHODS),
            ("places", self.places, PLACES),
        ):
            if value not in known:
                raise ValueError(unknown(f"Sparse.{what}", value, dict.fromkeys(known)))
        if self.layers not in (None, *LAYERS):
            layers = dict.fromkeys(LAYERS)
            raise ValueError(
                unknown("Sparse.layers", str(self.layers), layers) + " Leave it out for all layers."
            )
        if self.fan_in not in (None, *FAN_INS):
            ways = unknown("Sparse.fan_in", str(self.fan_in), dict.fromkeys(FAN_INS))
            raise ValueError(f"{ways} Leave it out for the inputs that are kept.")
        if self.method in ("st3", "imp"):
            for what, given in (("places", self.places != "random"), ("fan_in", self.fan_in)):
                if given:
                    raise ValueError(
                        f"Sparse.{what}: the method {self.method} starts dense; leave it out"
                    )
        if (self.method == "imp") != (self.rounds is not None):
            raise ValueError("Sparse.rounds: required with the method imp, not allowed with others")
        if self.rewind is not None and self.method != "imp":
            raise ValueError("Sparse.rewind: allowed only with the method imp")
        for name, least in (("rounds", 2), ("rewind", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"Sparse.{name}: expected at least {least}, got {value}")
        if self.places == "window" and self.layers is None:
            raise ValueError("Sparse: window needs pixels as inputs; set layers to first")
        if self.places == "band" and self.layers is not None:
            raise ValueError(
                "Sparse: band applies to every layer; for the first layer only, use nearest"
            )


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Pruning after training, at several levels of sparsity, each in a copy of the network.

    Parameters
    ----------
    by : criteria, from :data:`CRITERIA`.
    zeros : levels of sparsity: fractions of zeros, between 0 and 1.
    """

    by: tuple[str, ...]
    zeros: tuple[float, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        for criterion in self.by:
            if criterion not in CRITERIA:
                raise ValueError(unknown("Prune.by", criterion, dict.fromkeys(CRITERIA)))
        for share in self.zeros:
            _check_zeros("Prune.zeros", share)
        for name, values in (("by", self.by), ("zeros", self.zeros)):
            if not values or len(set(values)) < len(values):
                raise ValueError(
                    f"Prune.{name}: expected one or more values without repeats, got {list(values)}"
                )
        # The order does not matter, so sort: the same set must give the same id.
        object.__setattr__(self, "by", tuple(sorted(self.by)))
        object.__setattr__(self, "zeros", tuple(sorted(self.zeros)))


def _check_zeros(where: str, share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{where}: expected a fraction between 0 and 1, got {share:g}")
