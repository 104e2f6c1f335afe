"""Spatial weight priors: positions, kernels of distance, schedules, and how they act on a network.

Names are imported on first use, so that kernels and schedules can be described without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
