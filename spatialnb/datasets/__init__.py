"""Named data sets as whole tensors in memory, checked, cached, each with its edition.

`load` reads one, `editions` lists them without loading anything, `check` says what is where.
"""

import lazy_loader

from spatialnb.extras import explained

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explained(__getattr__, __name__)
