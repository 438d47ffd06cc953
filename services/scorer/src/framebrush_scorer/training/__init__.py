"""``framebrush train``: a network learns to paint like a painter, or in the style of one picture.

The content to learn from, the teachers, the losses and the loop belong here. No service imports it, and it needs the
extra ``framebrush-scorer[training]``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
