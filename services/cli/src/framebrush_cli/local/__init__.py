"""The stack on this machine: Azurite, the broker and the services as processes, their supervisor, and their logs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
