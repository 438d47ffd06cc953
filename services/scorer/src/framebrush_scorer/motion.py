"""Motion between two frames, and where it can be relied on."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import RgbFrame

Field = npt.NDArray[np.float32]
"""(H, W, 2), pixels to the right and down."""

Mask = npt.NDArray[np.bool_]

SMALLEST = 16
"""Least edge in pixels of frames in which motion is looked for."""


def motion(now: RgbFrame, later: RgbFrame) -> tuple[Field, Mask]:
    """Return where every pixel of a frame (H, W, 3) goes, and where that is known.

    Unknown are pixels that the later frame does not show and those at the borders of moving things, by the criteria of
    Ruder, Dosovitskiy, Brox 2016, "Artistic Style Transfer for Videos", equations 6 and 7.
    """
    forward, backward = both_ways(now, later)
    return forward, visible(forward, backward)


def both_ways(now: RgbFrame, later: RgbFrame) -> tuple[Field, Field]:
    """Return where the pixels of a frame (H, W, 3) go, and where those of the later one come from.

    By dense inverse search: Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search". RgbFrame too small for
    it do not move.
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
    """Return the pixels whose motion is known, see :func:`motion`."""
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
    """Return a picture (H, W, C) fetched from where its pixels went: result(p) = picture(p + field(p))."""
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(np.float32)
    places = (x + field[..., 0], y + field[..., 1])
    return cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def square(field: Field) -> npt.NDArray[np.float32]:
    """Return squared lengths (H, W)."""
    return np.asarray((field * field).sum(-1), np.float32)
