"""Traces of runs: a span for each message, and the context that messages carry from one service to the next."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
