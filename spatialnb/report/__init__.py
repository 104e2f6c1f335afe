"""Tables, figures and numbers in the text, all computed from records.

Everything that a chapter shows is computed from a study's
:class:`~spatialnb.study.results.Results`; no number is typed by hand. Tables and figures work on
light and dark pages, and always give a spread and n.

Names are imported on first use, because most chapters do not need torch.
"""

import lazy_loader

from spatialnb.extras import explained

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explained(__getattr__, __name__)
