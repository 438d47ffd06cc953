"""What a person names as a film: a file, a folder of pictures, an address on the web; and pictures made of a film."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
