"""The installation that a command talks to: how it is reached, how its runs are found, its queues, its dead letters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
