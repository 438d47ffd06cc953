"""The styles of an installation: what its scorers have by themselves, its library in Blob, and jobs that learn more.

All of it lies in the container of styles, beside the pictures.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
