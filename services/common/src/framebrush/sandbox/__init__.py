"""Work on a caller's media in a process of its own, which may crash, hang or eat memory without harm to the service.

The host side belongs to the service, the child side is the process; they share a protocol over two pipes, and limits.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
