"""Records to tables, figures and numbers for the prose.

Everything that a chapter shows is made here from a study's
:class:`~spatialnb.study.results.Results`: a chapter holds no number typed by hand. What is shown
fits light and dark pages, and always says its spread and its n.

Names are imported when they are first used: most chapters are shown without torch.
"""

import lazy_loader

from spatialnb.extras import explained

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explained(__getattr__, __name__)
