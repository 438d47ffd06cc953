"""Averages neighbouring frames along the motion, within a batch, and without a seam where two batches meet.

The first and the last frame of a batch stay as they are, and from there the averaging grows: no frame of another batch
is needed, and no amount jumps. What is averaged are the paintings; the motion is that of the video itself, which does
not flicker. After Lang et al. 2012, "Practical Temporal Consistency for Image-Based Graphics Applications", with three
frames instead of a path through all.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import BadFrame, RgbFrame
from framebrush_scorer.motion import Field, Mask, both_ways, visible

FloatImage = npt.NDArray[np.float32]

RAMP = 2
"""The number of frames from the border of a batch to where the averaging has its full amount."""

LIKENESS = 12.0
"""The difference of the video along its motion, in 0..255, at which a neighbour counts about 40 % less: the light has
changed, or the motion was not understood."""


def smooth(
    sources: Sequence[RgbFrame | BadFrame], painted: Sequence[RgbFrame | BadFrame], amount: float
) -> list[RgbFrame | BadFrame]:
    """Return the paintings of a batch, each averaged with the one before and the one after it.

    Args:
        sources: Consecutive frames of the video, (H, W, 3).
        painted: Their paintings. Bad frames stay as they are, and are not averaged with their neighbours.
        amount: The weight of each neighbour in 0..1. With 1, each counts as much as the frame itself.

    """
    last, result = len(painted) - 1, list(painted)
    totals: dict[int, tuple[FloatImage, FloatImage]] = {}
    for k in range(last):
        a, b, first, second = sources[k], sources[k + 1], painted[k], painted[k + 1]
        if isinstance(a, BadFrame) or isinstance(b, BadFrame):
            continue
        if isinstance(first, BadFrame) or isinstance(second, BadFrame):
            continue
        forward, backward = both_ways(a, b)
        for place, mine, other, source, neighbour, field, back in (
            (k, first, second, a, b, forward, backward),
            (k + 1, second, first, b, a, backward, forward),
        ):
            if share := amount * min(1.0, min(place, last - place) / RAMP):
                weight = share * likeness(source, neighbour, field, visible(field, back))
                total, weights = totals.get(place, (mine.astype(np.float32), np.ones_like(weight)))
                totals[place] = total + weight * fetch(other, field), weights + weight
    for place, (total, weights) in totals.items():
        result[place] = np.rint(total / weights).clip(0, 255).astype(np.uint8)
    return result


def likeness(source: RgbFrame, neighbour: RgbFrame, field: Field, known: Mask) -> FloatImage:
    """Return how far a neighbour shows the same as a frame at each pixel, (H, W, 1) in 0..1.

    Args:
        source: The frame of the video, (H, W, 3).
        neighbour: The frame before or after it.
        field: Where the pixels of the frame are in the neighbour, (H, W, 2).
        known: The pixels whose motion is known, (H, W).

    """
    difference = (fetch(neighbour, field) - source).mean(-1, keepdims=True) / LIKENESS
    return np.asarray(np.exp(-0.5 * difference * difference) * known[..., None], np.float32)


def fetch(picture: RgbFrame, field: Field) -> FloatImage:
    """Return a picture (H, W, 3) sampled where its pixels went, as float32 in about 0..255; it stays sharp."""
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(np.float32)
    places = (x + field[..., 0], y + field[..., 1])
    found = cv2.remap(picture.astype(np.float32), *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.float32)
