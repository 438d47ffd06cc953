"""Motion between two frames, and where it can be relied on."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import Frames

Field = npt.NDArray[np.float32]
"""(H, W, 2), pixels to the right and down."""

Mask = npt.NDArray[np.bool_]


@cache
def estimator() -> cv2.DISOpticalFlow:
    """Dense inverse search: Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search"."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def motion(now: Frames, later: Frames) -> tuple[Field, Mask]:
    """Return where every pixel of a frame (H, W, 3) goes, and where that is known.

    Unknown are pixels that the later frame does not show and those at the borders of moving things, by the criteria of
    Ruder, Dosovitskiy, Brox 2016, "Artistic Style Transfer for Videos", equations 6 and 7.
    """
    a, b = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, later))
    forward = estimator().calc(a, b, None).astype(np.float32)  # type: ignore[call-overload]  # the stubs want an output
    backward = estimator().calc(b, a, None).astype(np.float32)  # type: ignore[call-overload]
    back = warp(backward, forward)
    round_trip, lengths = square(forward + back), square(forward) + square(back)
    steepness = sum(square(part.astype(np.float32)) for part in np.gradient(forward, axis=(0, 1)))
    height, width = a.shape
    y, x = np.mgrid[0:height, 0:width]
    inside = (np.abs(x + forward[..., 0] - (width - 1) / 2) <= (width - 1) / 2) & (
        np.abs(y + forward[..., 1] - (height - 1) / 2) <= (height - 1) / 2
    )
    known = inside & (round_trip <= 0.01 * lengths + 0.5) & (steepness <= 0.01 * square(forward) + 0.002)
    return forward, known


def warp(picture: npt.NDArray[np.float32], field: Field) -> npt.NDArray[np.float32]:
    """Return a picture (H, W, C) fetched from where its pixels went: result(p) = picture(p + field(p))."""
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(np.float32)
    places = (x + field[..., 0], y + field[..., 1])
    return cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def square(field: Field) -> npt.NDArray[np.float32]:
    """Return squared lengths (H, W)."""
    return np.asarray((field * field).sum(-1), np.float32)
