"""A preview of a run without one: some frames of a film, decoded and painted on this computer, on one picture."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
