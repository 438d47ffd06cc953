"""Neighbouring frames averaged along the motion, within a batch, and without a seam where two batches meet.

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
"""Frames from the border of a batch to where the averaging is at its full amount."""

LIKENESS = 12.0
"""Difference of the video along its motion, of 255, at which a neighbour counts for a third less: light that changed,
or motion that was not understood."""


def smooth(
    sources: Sequence[RgbFrame | BadFrame], painted: Sequence[RgbFrame | BadFrame], amount: float
) -> list[RgbFrame | BadFrame]:
    """Return the paintings of a batch, each averaged with the one before and the one after it.

    Args:
        sources: Consecutive frames of the video, (H, W, 3), or why there is none.
        painted: Their paintings, or why there is none; what is none stays, and is no neighbour.
        amount: Weight of each neighbour, in 0..1: with 1 each counts as much as the frame itself.

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
    """Return how far a neighbour shows the same at a pixel, (H, W, 1) in 0..1."""
    difference = (fetch(neighbour, field) - source).mean(-1, keepdims=True) / LIKENESS
    return np.asarray(np.exp(-0.5 * difference * difference) * known[..., None], np.float32)


def fetch(picture: RgbFrame, field: Field) -> FloatImage:
    """Return a picture fetched from where its pixels went, as sharp as it is."""
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(np.float32)
    places = (x + field[..., 0], y + field[..., 1])
    found = cv2.remap(picture.astype(np.float32), *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.float32)
