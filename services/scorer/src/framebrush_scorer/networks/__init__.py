"""Style networks: their layers, what makes them fast, the number format they run in, and their files.

What turns such a network into a frame model belongs to :mod:`framebrush_scorer.models`, and how one is trained to
:mod:`framebrush_scorer.training`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
