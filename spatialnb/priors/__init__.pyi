from . import (
    actions,
    folded_optimizer,
    geometry,
    kernels,
    local_layers,
    local_masks,
    parametrization,
    schedules,
)

__all__ = [
    "actions",
    "folded_optimizer",
    "geometry",
    "kernels",
    "local_layers",
    "local_masks",
    "parametrization",
    "schedules",
]
