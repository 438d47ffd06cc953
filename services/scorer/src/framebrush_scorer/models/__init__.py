"""Frame models: what one is, how it is found by its name, and the kinds that this package brings.

Turning frames into tensors and back, and painting large frames in tiles, belong here, too. What a run does with the
frames before and after the model belongs to :mod:`framebrush_scorer.pipeline`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
