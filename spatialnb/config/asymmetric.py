"""Configuration of asymmetric networks, whose fixed weights break permutation symmetry.

The implementation is in :mod:`spatialnb.training.interventions.fixed_weights`. It is separate so
that a run's configuration can be read without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from spatialnb.registry import check_fields


@dataclass(frozen=True, kw_only=True)
class Asymmetric:
    r"""How many weights are fixed, and how large they are.

    Parameters
    ----------
    share : fraction of each unit's incoming weights that are fixed, above 0 and below 1, rounded
        down to a whole number of weights.
    scale : the standard deviation of the fixed weights relative to that of the others at
        initialisation; fixed weights have $\kappa = \text{scale} \sqrt{2 / \text{fan\_in}}$.
    seed : seed for which weights are fixed, and for their values.

    Raises
    ------
    TypeError : a field has the wrong type. ValueError : a value is out of range.
    """

    share: float = 0.5
    scale: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"Asymmetric.share: expected above 0 and below 1, got {self.share}")
        if self.scale < 0.0 or self.seed < 0:
            raise ValueError(
                f"Asymmetric: expected scale and seed of at least 0, got {self.scale}, {self.seed}"
            )
