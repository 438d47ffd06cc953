"""Measures flicker: how much of a frame cannot be told from the frame before and the motion of the input."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from framebrush.media import BgrImage

Luma = npt.NDArray[np.uint8]

SIZE = 160
"""The length of the longer side of the frames that are compared, in pixels."""
MOVED = 12.0
"""The difference of lumas, 0..255, above which a pixel of the input has no counterpart in the frame before."""
CUT = 0.5
"""The part of the pixels without a counterpart from which on two frames are of different scenes."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one frame to the next."""

    before: float | None
    """The flicker of the input in levels of luma, 0..255; None at a change of scenes."""
    after: float | None
    """The flicker of the output, in the same unit."""


def luma(image: BgrImage) -> Luma:
    """Return the luma of an image (H, W, 3) as uint8 (h, w), whose longer side is :data:`SIZE`."""
    height, width = image.shape[:2]
    scale = SIZE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    gray: Luma = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    return gray


def flicker(before: tuple[Luma, Luma], after: tuple[Luma, Luma]) -> Step:
    """Return the flicker from one frame to the next, of the input and of the output.

    It is the warping error of Lai et al. 2018, "Learning Blind Video Temporal Consistency", section 4.2, as a mean of
    absolute differences: the frame before, moved along the optical flow of the input (Kroeger et al. 2016, "Fast
    Optical Flow using Dense Inverse Search"), against the frame itself, where the input has a counterpart.

    Args:
        before: Two consecutive frames of the input, uint8 (h, w).
        after: The same frames of the output, of the same size.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(before[1], before[0], None)  # type: ignore[call-overload]
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32) + flow
    own, others = (_error(pair, grid) for pair in (before, after))
    kept = own < MOVED
    if kept.mean() < CUT:
        return Step(before=None, after=None)
    return Step(before=round(float(own[kept].mean()), 3), after=round(float(others[kept].mean()), 3))


def _error(pair: tuple[Luma, Luma], grid: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    moved = cv2.remap(pair[0], grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.abs(moved.astype(np.float32) - pair[1])  # type: ignore[no-any-return]
