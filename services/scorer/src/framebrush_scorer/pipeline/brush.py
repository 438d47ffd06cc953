"""Paints with a larger or smaller brush: at another resolution, with the detail brought back."""

import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models import FrameModel, rounded, to_frames, to_tensor

SMALLEST = 8
"""The least edge in pixels of the frames that a model is given."""

RADIUS, EPSILON = 2, 60.0
"""The guided upsampling: how far around a pixel it looks, in pixels of the painting, and the variance of the luma, in
squares of 0..255, below which a place counts as flat."""

LUMA = (0.2126, 0.7152, 0.0722)
"""The weights of red, green and blue in the luma of ITU-R BT.709."""


def brush_size(model: FrameModel, frames: RgbFrames, scale: float) -> float:
    """Return by how much smaller than the frames (B, H, W, 3) a model paints.

    A model may have a ``natural_edge``: the shorter edge in pixels of the frames for which its strokes were made.
    Strokes on larger frames grow with the frames, so that they look the same from the same chair. Smaller frames are
    painted as they are: to enlarge them would cost more and show less.
    """
    natural: int | None = getattr(model, "natural_edge", None)
    return scale * max(1.0, min(frames.shape[1:3]) / natural) if natural else scale


@torch.inference_mode()
def paint_scaled(model: FrameModel, frames: RgbFrames, scale: float) -> RgbFrames:
    """Return the paintings of frames (B, H, W, 3) with a brush that is ``scale`` times as large.

    The model paints at another resolution, and the paintings are brought back to the resolution of the frames, on the
    model's device.

    Fine detail comes back by the guided upsampling of He, Sun 2015, "Fast Guided Filter": where the painting follows
    the luma of the frame, at a contour, it follows it at the full resolution, too; where it is flat it stays flat.
    """
    device = getattr(model, "device", torch.device("cpu"))
    height, width = frames.shape[1:3]
    size = (max(SMALLEST, round(height / scale)), max(SMALLEST, round(width / scale)))
    wholes = torch.split(to_tensor(frames, device), 1)  # one at a time bounds the memory
    smalls = [rounded(_resize(whole, size)) for whole in wholes]
    paintings = torch.split(to_tensor(model(to_frames(smalls)), device), 1)
    enlarge = _enlarge_with_detail if scale > 1 else lambda painting, whole, _small: _resize(painting, whole.shape[2:])
    return to_frames([rounded(enlarge(*each)) for each in zip(paintings, wholes, smalls, strict=True)])


def _enlarge_with_detail(painting: Tensor, whole: Tensor, small: Tensor) -> Tensor:
    size = whole.shape[2:]
    little = _luma(small)
    detail = _luma(whole).sub_(_resize(little, size))
    return _resize(painting, size).add_(_resize(_guidance(little, painting.float()), size).mul_(detail))


def _guidance(guide: Tensor, picture: Tensor) -> Tensor:
    """Return how strongly each channel (1, 3, H, W) follows the guide (1, 1, H, W): covariance over variance."""
    average = _mean(guide)
    variance = _mean(guide * guide) - average * average
    covariance = _mean(guide * picture) - average * _mean(picture)
    return _mean(covariance / (variance + EPSILON))


def _mean(x: Tensor) -> Tensor:
    """Return the mean around each pixel of ``x`` (1, C, H, W); at the borders of those that there are."""
    return F.avg_pool2d(x, 2 * RADIUS + 1, stride=1, padding=RADIUS, count_include_pad=False)


def _luma(pictures: Tensor) -> Tensor:
    """Return the luma (1, 1, H, W) of RGB pictures (1, 3, H, W), both in 0..255, as float32."""
    weights = torch.tensor(LUMA, device=pictures.device).view(1, 3, 1, 1)
    return F.conv2d(pictures.float(), weights)


def _resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Return ``x`` (1, C, H, W) at another size, as float32. Cubic interpolation may overshoot 0..255."""
    return F.interpolate(x.float(), size, mode="bicubic", antialias=True)
