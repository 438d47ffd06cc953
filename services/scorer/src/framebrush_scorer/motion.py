"""Motion between two frames, and where it can be relied on."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import RgbFrame

Field = npt.NDArray[np.float32]
"""Motion (H, W, 2): how many pixels to the right and how many down each pixel goes."""

Mask = npt.NDArray[np.bool_]
"""Pixels (H, W) for which something is true."""

SMALLEST = 16
"""The edge in pixels below which no motion is looked for in a frame."""


def motion(now: RgbFrame, later: RgbFrame) -> tuple[Field, Mask]:
    """Return where every pixel of a frame goes, and the pixels for which this is known.

    The motion of a pixel is unknown if the later frame does not show it, or if it lies at the border of a moving thing.
    The criteria are those of Ruder, Dosovitskiy, Brox 2016, "Artistic Style Transfer for Videos", equations 6 and 7.

    Args:
        now: The frame (H, W, 3).
        later: The next frame, of the same size.
    """
    forward, backward = both_ways(now, later)
    return forward, visible(forward, backward)


def both_ways(now: RgbFrame, later: RgbFrame) -> tuple[Field, Field]:
    """Return where the pixels of a frame go, and where the pixels of the later frame come from.

    The method is that of Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search". Frames with an edge of
    less than :data:`SMALLEST` pixels are too small for it: they count as still.

    Args:
        now: The frame (H, W, 3).
        later: The next frame, of the same size.
    """
    a, b = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, later))
    if min(a.shape) < SMALLEST:
        still = np.zeros((*a.shape, 2), np.float32)
        return still, still
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # not to be shared between threads
    forward = estimator.calc(a, b, None).astype(np.float32)  # type: ignore[call-overload]  # the stubs want an output
    backward = estimator.calc(b, a, None).astype(np.float32)  # type: ignore[call-overload]
    return forward, backward


def visible(forward: Field, backward: Field) -> Mask:
    """Return the pixels whose motion is known, by the criteria of :func:`motion`.

    Args:
        forward: Where the pixels of a frame go.
        backward: Where the pixels of the later frame come from.
    """
    back = warp(backward, forward)
    round_trip, lengths = square(forward + back), square(forward) + square(back)
    height, width = forward.shape[:2]
    if min(height, width) < SMALLEST:
        return np.ones((height, width), bool)
    steepness = np.square([np.gradient(forward, axis=axis) for axis in (0, 1)]).sum((0, -1))
    y, x = np.mgrid[0:height, 0:width]
    inside = (np.abs(x + forward[..., 0] - (width - 1) / 2) <= (width - 1) / 2) & (
        np.abs(y + forward[..., 1] - (height - 1) / 2) <= (height - 1) / 2
    )
    known: Mask = inside & (round_trip <= 0.01 * lengths + 0.5) & (steepness <= 0.01 * square(forward) + 0.002)
    return known


def warp(picture: npt.NDArray[np.float32], field: Field) -> npt.NDArray[np.float32]:
    """Return a picture (H, W, C) sampled where its pixels went: ``result(p) = picture(p + field(p))``.

    Places between pixels are interpolated linearly; places outside have the colour of the nearest pixel.
    """
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(np.float32)
    places = (x + field[..., 0], y + field[..., 1])
    return cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def square(field: Field) -> npt.NDArray[np.float32]:
    """Return the squared length of every vector of a field, (H, W), in square pixels."""
    return np.asarray((field * field).sum(-1), np.float32)
