"""Style pictures: decoding them, and the numbers by which the picture-driven network knows a picture.

They need the extra ``framebrush[pictures]``. Painting with the numbers belongs to the scorer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
