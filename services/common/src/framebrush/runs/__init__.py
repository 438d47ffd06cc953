"""The runs of an installation: the names of their blobs, the rules of their life cycle, and how far they are."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
