"""Figures for pairs of frames. Frames are RGB uint8 (H, W, 3); values are taken in 0..1."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import Frames
from framebrush_scorer.quality.motion import Field, Mask, warp

Values = npt.NDArray[np.float32]


def values(frame: Frames) -> Values:
    """Return a frame in 0..1."""
    return frame.astype(np.float32) / np.float32(255)


def warp_error(now: Frames, later: Frames, field: Field, known: Mask) -> float:
    """Return the mean squared difference between a frame and the next one, fetched back along the motion.

    E_warp of Lai et al. 2018, "Learning Blind Video Temporal Consistency", equation 11, as a mean over the channels.
    Not a number where no motion is known.
    """
    difference = warp(values(later), field) - values(now)
    return float((difference * difference).mean(-1)[known].mean()) if known.any() else float("nan")


def style_strength(source: Frames, styled: Frames) -> float:
    """Return how far a painting is from its source in ways that blurring is not, in 0..1.

    The root mean square of two differences: of colours averaged over a few pixels, and of detail, less the part of it
    that is the source's own detail, stronger or weaker. A copy has 0, a blurred copy nearly; drawn lines, flattened
    tones and other colours count.
    """
    a, b = values(source), values(styled)
    soft_a, soft_b = blur(a, 4), blur(b, 4)
    fine_a, fine_b = a - soft_a, b - soft_b
    gain = blur(fine_a * fine_b, 6) / (blur(fine_a * fine_a, 6) + 1e-4)
    own = gain.clip(0, None) * fine_a
    difference = (soft_b - soft_a) ** 2 + (fine_b - own) ** 2
    return float(np.sqrt(difference.mean()))


def detail(source: Frames, styled: Frames) -> float:
    """Return the energy of fine detail in a painting, as a multiple of the source's: blur takes it away."""
    fine = [np.square(each - blur(each, 2)).mean() for each in (values(source), values(styled))]
    return float(fine[1] / max(float(fine[0]), 1e-8))


def psnr(a: Frames, b: Frames) -> float:
    """Return the peak signal-to-noise ratio in dB; 100 for equal pictures."""
    error = float(np.square(values(a) - values(b)).mean())
    return 100.0 if error == 0 else min(100.0, -10 * float(np.log10(error)))


def ssim(a: Frames, b: Frames) -> float:
    """Return the mean structural similarity of the lumas, 1 for equal pictures.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", with its constants
    and a Gaussian window of 1.5 pixels.
    """
    x, y = (values(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.uint8)) for frame in (a, b))
    mean_x, mean_y = blur(x, 1.5), blur(y, 1.5)
    var_x, var_y = blur(x * x, 1.5) - mean_x**2, blur(y * y, 1.5) - mean_y**2
    covariance = blur(x * y, 1.5) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return float((light * (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)).mean())


def blur(picture: Values, sigma: float) -> Values:
    """Gaussian blur."""
    return cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
