"""Measures how alike two images are. It needs the extra ``framebrush[images]``."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush.media.images import BgrImage

Values = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

WINDOW, SIGMA = (11, 11), 1.5
"""The size and the standard deviation of the Gaussian over which SSIM takes its statistics, in pixels."""
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Values, b: Values) -> float:
    """Return the peak signal-to-noise ratio of two images over all their channels, in dB.

    It is infinite for equal images, and not a number if a value of an image is not a number.

    Args:
        a: Values in 0..255, of any type and shape.
        b: The values of the other image, in the same shape.
    """
    error = float(np.mean((a.astype(np.float32) - b) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim(a: BgrImage, b: BgrImage) -> float:
    """Return the mean structural similarity of the lumas of two images (H, W, 3), which is 1 for equal ones.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", equation 13.
    """
    x, y = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) for image in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return float(np.mean(numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))))


def _blur(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return cv2.GaussianBlur(image, WINDOW, SIGMA)  # type: ignore[return-value]  # float32, as it was
