"""Azure Service Bus: connections, senders, the worker's loop, message locks, retries and dead letters.

What becomes of a message, whatever happens to its handler, is decided here and nowhere else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
