"""Frames as arrays."""

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""RGB pictures (B, H, W, 3) in 0..255; B, H, W >= 1."""
