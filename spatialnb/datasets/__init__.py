"""Data sets by name, loaded as whole tensors, with checked files and a cache.

`load` loads one, `editions` lists them without loading, `check` shows which files were found.
"""

import lazy_loader

from spatialnb.extras import explained

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explained(__getattr__, __name__)
