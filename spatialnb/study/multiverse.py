"""A claim over many protocols: in how many universes it holds.

A universe is one choice of everything that the log leaves open: learning rate, batch size,
initialisation and so on. Source: Steegen et al. 2016, multiverse analysis; Simonsohn et al. 2020,
specification curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

HOLDS_FROM = 0.9
"""Share of the universes from which on a claim is said to hold in them."""
FAILS_BELOW = 0.5
"""Share of the universes below which it is said to be contradicted."""
MARGIN = 0.5
"""Points of accuracy within which two arms are equal in a universe."""


@dataclass(frozen=True, kw_only=True)
class ClaimAcross:
    """A claim about two arms, for every universe.

    Parameters
    ----------
    key, words : a name, and the sentence.
    arm, against : the arms; a difference is the first minus the second, paired by seed.
    rule : ``beats``: the mean difference is above 0; ``equals``: it lies within half a point.

    Raises
    ------
    ValueError : another rule.
    """

    key: str
    words: str
    arm: str
    against: str
    rule: str = "beats"

    def __post_init__(self) -> None:
        if self.rule not in ("beats", "equals"):
            raise ValueError(f"claim {self.key}: unknown rule {self.rule!r}; known: beats, equals")

    def holds_in(self, differences: Sequence[float]) -> bool:
        """Whether the claim holds in a universe; differences in points, one a seed."""
        mean = fmean(differences)
        return mean > 0.0 if self.rule == "beats" else abs(mean) <= MARGIN

    def verdict(self, universes: Sequence[Sequence[float]]) -> str:
        """``holds`` in nine tenths of the universes or more, ``contradicted`` in less than half.

        Parameters
        ----------
        universes : the differences of each, in points, one a seed.

        Raises
        ------
        ValueError : no universe.
        """
        if not universes:
            raise ValueError(f"claim {self.key}: expected at least one universe, got none")
        share = fmean(self.holds_in(one) for one in universes)
        if share >= HOLDS_FROM:
            return "holds"
        return "contradicted" if share < FAILS_BELOW else "depends on the protocol"
