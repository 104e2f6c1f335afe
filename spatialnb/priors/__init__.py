"""Spatial weight priors: positions, kernels of distance, schedules, and how they act on a network.

Names are imported when they are first used: a kernel or a schedule needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
