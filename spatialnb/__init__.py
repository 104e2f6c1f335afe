"""Spatial weight priors for neural networks, and the runs of an executable research report.

Names are imported when they are first used, so that the command line answers without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
