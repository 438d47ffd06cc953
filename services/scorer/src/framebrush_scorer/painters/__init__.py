"""Painters: image filters that turn a photograph into a painting, and the filters that they are made of.

They work on tensors, know nothing of frames and runs, and learn nothing. Some are frame models of their own, and each
of them can teach a network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
