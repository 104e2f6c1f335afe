from . import actions, folded_optimizer, geometry, kernels, parametrization, schedules

__all__ = ["actions", "folded_optimizer", "geometry", "kernels", "parametrization", "schedules"]
