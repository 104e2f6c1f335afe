"""The interventions of a run."""

from __future__ import annotations

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run
from spatialnb.training.interventions.attached_prior import AttachedPrior
from spatialnb.training.interventions.augmentation import CropAndFlip
from spatialnb.training.interventions.dead_units import DeadUnits
from spatialnb.training.interventions.decay_to_target import DecayToTarget
from spatialnb.training.interventions.dropout import Dropout
from spatialnb.training.interventions.fixed_weights import FixedWeights
from spatialnb.training.interventions.folded_prior import FoldedPrior
from spatialnb.training.interventions.mask_locality import MaskLocality
from spatialnb.training.interventions.permuted_units import PermutedUnits
from spatialnb.training.interventions.pruning import Pruning
from spatialnb.training.interventions.reparametrised import Reparametrised
from spatialnb.training.interventions.rotation import Rotation
from spatialnb.training.interventions.sparse_weights import SparseWeights

BUILT_IN = (
    FixedWeights,
    FoldedPrior,
    SparseWeights,  # before the prior: the mask is applied to the initial learned weights
    AttachedPrior,
    Reparametrised,
    CropAndFlip,
    Dropout,
    DecayToTarget,
    Rotation,
    MaskLocality,
    DeadUnits,
    PermutedUnits,
    Pruning,  # last: it evaluates copies of the network after all others have acted
)
"""The package's own interventions, in the order in which they act; each has a setting in
:class:`~spatialnb.config.run.Run`. Interventions registered by name are not listed here."""


def asked_by(run: Run) -> list[Intervention]:
    """The interventions of a run: the package's own, then those registered by name."""
    own = [kind.asked_by(run) for kind in BUILT_IN]
    return [*(one for one in own if one is not None), *(run.interventions or ())]
