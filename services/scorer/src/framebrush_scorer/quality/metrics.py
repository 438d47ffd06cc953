"""Computes figures for pairs of frames. Frames are RGB uint8 (H, W, 3); their values are taken in 0..1."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.motion import Field, Mask, warp

Values = npt.NDArray[np.float32]


def values(frame: RgbFrame) -> Values:
    """Return the values of a frame in 0..1, (H, W, 3)."""
    return frame.astype(np.float32) / np.float32(255)


def warp_error(now: RgbFrame, later: RgbFrame, field: Field, known: Mask) -> float:
    """Return the mean squared difference between a frame and the next one, fetched back along the motion.

    This is E_warp of Lai et al. 2018, "Learning Blind Video Temporal Consistency", equation 11, as a mean
    over the channels. It is not a number where no motion is known.

    Args:
        now: The frame (H, W, 3).
        later: The next frame, of the same size.
        field: The motion between them, (H, W, 2).
        known: The pixels whose motion is known, (H, W).
    """
    difference = warp(values(later), field) - values(now)
    return float((difference * difference).mean(-1)[known].mean()) if known.any() else float("nan")


def style_strength(source: RgbFrame, styled: RgbFrame) -> float:
    """Return how far a painting is from its source in ways that blurring is not, in 0..1.

    It is the root mean square of two differences: that of the colours, averaged over a few pixels, and that of the
    detail, less the part of it that is the source's own detail, stronger or weaker. A copy has 0, and a blurred copy
    nearly 0. Drawn lines, flattened tones and other colours count.
    """
    a, b = values(source), values(styled)
    soft_a, soft_b = blur(a, 4), blur(b, 4)
    fine_a, fine_b = a - soft_a, b - soft_b
    gain = blur(fine_a * fine_b, 6) / (blur(fine_a * fine_a, 6) + 1e-4)
    own = gain.clip(0, None) * fine_a
    difference = (soft_b - soft_a) ** 2 + (fine_b - own) ** 2
    return float(np.sqrt(difference.mean()))


def detail(source: RgbFrame, styled: RgbFrame) -> float:
    """Return the energy of fine detail in a painting, as a multiple of the source's. Blur lowers it."""
    fine = [np.square(each - blur(each, 2)).mean() for each in (values(source), values(styled))]
    return float(fine[1] / max(float(fine[0]), 1e-8))


def blur(picture: Values, sigma: float) -> Values:
    """Return values (H, W) or (H, W, C) after a Gaussian blur with a standard deviation of ``sigma`` pixels."""
    return cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
