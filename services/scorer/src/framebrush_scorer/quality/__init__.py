"""``framebrush quality``: how well a styled video holds still, how much style it has, and how like its source it is.

It compares two finished videos. No service imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
