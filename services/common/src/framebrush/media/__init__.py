"""Video and images: reading what a file holds, comparing it, converting colours, encoding, and packs of frames.

This package needs the extra ``framebrush[images]`` (OpenCV). All that reads or writes video needs ``framebrush[video]``
(PyAV), too. A name is imported when it is first used, so that a service without PyAV can use the images.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
