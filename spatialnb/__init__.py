"""Spatial weight priors for neural networks, and the experiments of the book about them.

Names are imported on first use, so that the command line starts without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
