"""Measures flicker: how much of a frame cannot be told from the frame before and the motion of the input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

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
"""The part of the pixels without a counterpart from which on two frames do not follow from each other."""
FLASH = 3
"""The most frames of a flash that hides the scene: if the scene is there again behind it, it has not changed."""
LIKE = 0.85
"""The correlation of lumas from which on two frames show one scene in another light."""
FLAT = 4.0
"""The standard deviation of lumas below which a frame shows nothing, such as a white one."""

Change: TypeAlias = Literal["cut", "flash"]


@dataclass(frozen=True, slots=True)
class Step:
    """From one frame to the next."""

    before: float | None
    """The flicker of the input in levels of luma, 0..255; None where the scene or its light changes."""
    after: float | None
    """The flicker of the output, in the same unit."""
    change: Change | None = None
    """What changes: the scene, or only its light."""


def luma(image: BgrImage) -> Luma:
    """Return the luma of an image (H, W, 3) as uint8 (h, w), whose longer side is :data:`SIZE`."""
    height, width = image.shape[:2]
    scale = SIZE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    gray: Luma = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    return gray


def flicker(before: Sequence[Luma], after: Sequence[Luma]) -> list[Step | None]:
    """Return the flicker from each frame to the next, of the input and of the output.

    It is the warping error of Lai et al. 2018, "Learning Blind Video Temporal Consistency", section 4.2, as a mean of
    absolute differences: the frame before, moved along the optical flow of the input (Kroeger et al. 2016, "Fast
    Optical Flow using Dense Inverse Search"), against the frame itself, where the input has a counterpart.

    Args:
        before: Consecutive frames of the input, uint8 (h, w).
        after: The same frames of the output, of the same size.

    Returns:
        One step less than there are frames. A step is None if the frames end too near to it to say what changes there.
    """
    steps = list[Step | None]()
    for number in range(1, len(before)):
        grid = _motion(before[number - 1], before[number])
        own, others = (_error(frames[number - 1], frames[number], grid) for frames in (before, after))
        kept = own < MOVED
        if kept.mean() >= CUT:
            steps.append(Step(round(float(own[kept].mean()), 3), round(float(others[kept].mean()), 3)))
        else:
            steps.append(_changed(before, number))
    return steps


def _changed(frames: Sequence[Luma], number: int) -> Step | None:
    """Return what changes with a frame that does not follow from the one before; None if that cannot be told.

    A flash is in the light of one scene, or it hides the scene for some frames: then a frame before it is like one
    behind it.
    """
    last, now, behind, ahead = number - 1, frames[number], number - 1 - FLASH, number + FLASH
    pairs = [(frames[last], frames[each]) for each in range(number + 1, min(ahead + 1, len(frames)))]
    pairs += [(frames[each], now) for each in range(max(behind, 0), last)]
    if _in_other_light(frames[last], now) or any(_follows(*pair) or _in_other_light(*pair) for pair in pairs):
        return Step(None, None, "flash")
    return Step(None, None, "cut") if behind >= 0 and ahead < len(frames) else None


def _follows(one: Luma, other: Luma) -> bool:
    return bool((_error(one, other, _motion(one, other)) < MOVED).mean() >= CUT)


def _in_other_light(one: Luma, other: Luma) -> bool:
    """Return whether two frames are one scene, but for brightness and contrast."""
    moved = _moved(one, _motion(one, other))
    if min(moved.std(), other.std()) < FLAT:
        return False
    return bool(np.corrcoef(moved.ravel(), other.ravel())[0, 1] >= LIKE)


def _motion(one: Luma, other: Luma) -> npt.NDArray[np.float32]:
    """Return where each pixel of a frame comes from in another one, as float32 (h, w, 2)."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(other, one, None)  # type: ignore[call-overload]
    height, width = flow.shape[:2]
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32) + flow  # type: ignore[no-any-return]


def _moved(image: Luma, grid: npt.NDArray[np.float32]) -> Luma:
    return cv2.remap(image, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload, no-any-return]


def _error(one: Luma, other: Luma, grid: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.abs(_moved(one, grid).astype(np.float32) - other)  # type: ignore[no-any-return]
