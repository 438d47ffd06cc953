"""The way of a batch: from a message through decoding, the model, the run's controls and encoding to a styled pack.

The handler is here, what halves a batch that fails, and what a run may ask of any model: strength, colours, size of the
brush, and smoothing over time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
