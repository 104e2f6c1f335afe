"""Sparse weights: which zeros a run asks for, from the start or after the training.

How they are made is in :mod:`spatialnb.training.sparse_optimizers` and
:mod:`spatialnb.training.interventions.pruning`. Apart from them, so that a run's configuration
can be read without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from spatialnb.registry import check_fields, unknown

METHODS = ("static", "set", "rigl", "granet", "st3", "imp")
"""Ways to train with zeros: places that stay, SET, RigL, GraNet, ST-3, and iterative magnitude
pruning."""
PLACES = ("random", "band", "nearest", "window")
"""Where the weights are at the start: anywhere, at a layer's nearest connections, at each unit's
nearest inputs, or in a square window of pixels."""
LAYERS = ("first",)
"""Which layers can be sparse besides all of them."""
FAN_INS = ("dense",)
"""Whose inputs the first weights can be drawn for besides those that are left."""
CRITERIA = ("kernel", "magnitude", "random")
"""What is set to zero after a training: smallest strengths, smallest effective weights, any."""


@dataclass(frozen=True, kw_only=True)
class Sparse:
    r"""Training with zeros from the first step on.

    Parameters
    ----------
    zeros : share of zeros, between 0 and 1.
    method : ``static``; ``set`` (Mocanu et al. 2018: after every epoch but the last the smallest
        30 % of a layer's weights give way to as many at random places); ``rigl`` (Evci et al. 2020:
        every 100 steps until 75 % of the training a share that falls from 30 % by a cosine gives
        way to weights where the gradient is largest), in both of which new weights start at zero;
        ``granet`` (Liu et al. 2021: from half of the weights on, ever fewer are left, and some
        grow again where the gradient is largest); ``st3`` (Vanderschueren and De Vleeschouwer 2023:
        a soft threshold that rises, and gradients that pass through it); ``imp`` (Frankle and
        Carbin 2019: trained, pruned and set back to the start, `rounds` times).
    places : where the weights are at the start: ``random``, an Erdős–Rényi graph with a given
        number of edges; ``band``, the nearest connections of a layer; ``nearest``, as many for
        every unit, its nearest inputs by the run's positions, the channels of a pixel together on
        the plane; ``window``, a square of pixels around each unit of the first layer. See
        :mod:`spatialnb.priors.local_masks`.
    rounds : of ``imp`` alone: into so many parts of equal length the training is divided. Where
        the learning rate falls, it does so in each of them.
    rewind : of ``imp`` alone: every later round starts from the weights after so many epochs of the
        first (Frankle et al. 2020); from the first weights without it.
    fan_in : ``dense``: weights that are kept start as the dense layer drew them, from
        $N(0, 2 / \text{fan in})$ of all inputs; without it from $N(0, 2 / \text{fan in})$ of the
        inputs that are left, a share s of all, which divides them by $\sqrt s$. Not for ``st3``
        and ``imp``, which start dense.
    layers : ``first`` for the first layer alone, where ``random`` gives every unit as many inputs
        as ``nearest`` does; every layer without it.
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
            raise ValueError(f"{ways} Leave it out for the inputs that are left.")
        if self.method in ("st3", "imp"):
            for what, given in (("places", self.places != "random"), ("fan_in", self.fan_in)):
                if given:
                    raise ValueError(
                        f"Sparse.{what}: the method {self.method} starts dense; leave it out"
                    )
        if (self.method == "imp") != (self.rounds is not None):
            raise ValueError("Sparse.rounds: expected with the method imp, and with no other")
        if self.rewind is not None and self.method != "imp":
            raise ValueError("Sparse.rewind: expected with the method imp, and with no other")
        for name, least in (("rounds", 2), ("rewind", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"Sparse.{name}: expected at least {least}, got {value}")
        if self.places == "window" and self.layers is None:
            raise ValueError("Sparse: a window is of pixels; set layers to first")
        if self.places == "band" and self.layers is not None:
            raise ValueError("Sparse: a band is of every layer; for the first one take nearest")


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Weights set to zero after the training, at several levels, each in a copy of the network.

    Parameters
    ----------
    by : criteria, some of :data:`CRITERIA`.
    zeros : levels: shares of zeros between 0 and 1.
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
                    f"Prune.{name}: expected at least one and each once, got {list(values)}"
                )
        # One set of levels has one id, in whatever order they are written.
        object.__setattr__(self, "by", tuple(sorted(self.by)))
        object.__setattr__(self, "zeros", tuple(sorted(self.zeros)))


def _check_zeros(where: str, share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{where}: expected a share between 0 and 1, got {share:g}")
