"""Blob storage: the interface that handlers use, Azure behind it, and a double in memory for tests."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
