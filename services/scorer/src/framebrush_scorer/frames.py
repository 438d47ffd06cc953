"""Frames as arrays, and what stands in the place of a frame that is bad."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RgbFrame = npt.NDArray[np.uint8]
"""One picture (H, W, 3), red first, in 0..255; H, W >= 1."""

RgbFrames = npt.NDArray[np.uint8]
"""A batch of pictures of one size (B, H, W, 3), red first, in 0..255; B, H, W >= 1."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Stands in the place of a frame that could not be read or scored."""

    reason: str
    """What went wrong, in words for the person who reads the run's report."""
