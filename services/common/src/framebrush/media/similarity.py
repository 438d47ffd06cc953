"""How alike two pictures are. Needs the extra ``framebrush[images]``."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush.media.images import Image

WINDOW, SIGMA = (11, 11), 1.5
"""Of SSIM's Gaussian."""
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio over all channels in dB, infinite for equal pictures (H, W, 3)."""
    error = float(np.mean((a.astype(np.float32) - b) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim(a: Image, b: Image) -> float:
    """Mean structural similarity of the luma of two pictures (H, W, 3), 1 for equal ones.

    Wang et al., Image quality assessment: from error visibility to structural similarity, 2004, equation 13.
    """
    x, y = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) for image in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return float(np.mean(numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))))


def _blur(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return cv2.GaussianBlur(image, WINDOW, SIGMA)  # type: ignore[return-value]  # float32, as it was
