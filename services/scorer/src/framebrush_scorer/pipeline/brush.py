"""Paints with a larger or smaller brush: at another resolution, with the detail brought back."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models import FrameModel, rounded, to_frames, to_tensor

PASS_PIXELS = 8 * 2**20
"""The number of pixels that are brought to another resolution at a time on a GPU; they take about 1 GB meanwhile."""

SMALLEST = 8
"""The least edge in pixels of the frames that a model is given."""

RADIUS, EPSILON = 2, 60.0
"""The guided upsampling: how far around a pixel it looks, in pixels of the painting, and the variance of the luma, in
squares of 0..255, below which a place counts as flat."""

LUMA = (0.2126, 0.7152, 0.0722)
"""The weights of red, green and blue in the luma of ITU-R BT.709."""


def brush_size(model: FrameModel, size: tuple[int, int], scale: float) -> float:
    """Return by how much smaller than frames of a size, (height, width), a model paints.

    A model may have a ``natural_edge``: the shorter edge in pixels of the frames for which its strokes were made.
    Strokes on larger frames grow with the frames, so that they look the same from the same chair. Smaller frames are
    painted as they are: to enlarge them would cost more and show less.
    """
    natural: int | None = getattr(model, "natural_edge", None)
    return scale * max(1.0, min(size) / natural) if natural else scale


@torch.inference_mode()
def paint_scaled(model: FrameModel, frames: RgbFrames, scale: float) -> RgbFrames:
    """Return the paintings of frames (B, H, W, 3) with a brush that is ``scale`` times as large.

    The model paints at another resolution, and the paintings are brought back to the resolution of the frames, on the
    model's device.
    """
    whole = to_tensor(frames, getattr(model, "device", torch.device("cpu")))
    if hasattr(model, "paint_tensor"):
        return to_frames([paint_tensors(model, part, scale) for part in parts(whole)])
    smalls = [reduced(part, scale) for part in parts(whole)]
    paintings = torch.split(to_tensor(model(to_frames(smalls)), whole.device), len(smalls[0]))
    return to_frames([enlarged(*each, scale) for each in zip(paintings, parts(whole), smalls, strict=True)])


def paint_tensors(model: FrameModel, pictures: Tensor, scale: float) -> Tensor:
    """Return the paintings of pictures on the model's device, both uint8 (B, 3, H, W); see :func:`paint_scaled`.

    The model has a method ``paint_tensor``.
    """
    paint: Callable[[Tensor], Tensor] = model.paint_tensor  # type: ignore[attr-defined]
    if scale == 1:
        return paint(pictures)
    results = []
    for part in parts(pictures):
        small = reduced(part, scale)
        results.append(enlarged(paint(small), part, small, scale))
    return torch.cat(results)


def parts(pictures: Tensor) -> tuple[Tensor, ...]:
    """Return pictures (B, 3, H, W) in parts that bound the memory. A CPU gains nothing by more than one at a time."""
    count = 1 if pictures.device.type == "cpu" else max(1, PASS_PIXELS // pictures[0, 0].numel())
    return torch.split(pictures, count)


def reduced(pictures: Tensor, scale: float) -> Tensor:
    """Return pictures, uint8 (B, 3, H, W), at the size at which they are painted."""
    height, width = pictures.shape[2:]
    return resize(pictures, (max(SMALLEST, round(height / scale)), max(SMALLEST, round(width / scale))))


def enlarged(painting: Tensor, whole: Tensor, small: Tensor, scale: float) -> Tensor:
    """Return paintings (B, 3, h, w) of the reduced pictures ``small`` at the size of ``whole``, (B, 3, H, W).

    Fine detail comes back by the guided upsampling of He, Sun 2015, "Fast Guided Filter": where the painting follows
    the luma of the frame, at a contour, it follows it at the full resolution, too; where it is flat it stays flat.
    """
    result = resize(painting, (int(whole.shape[2]), int(whole.shape[3])))
    return add_detail(result, painting, whole, small) if scale > 1 else result


def resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Return pictures, uint8 (B, 3, H, W), at another size, (height, width)."""
    # On a CPU the whole-number form takes a tenth of the time, and asks for channels_last; CUDA has none.
    last = pictures.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    x = last if pictures.device.type == "cpu" else pictures.float()
    return rounded(F.interpolate(x, size, mode="bicubic", antialias=True))


def add_detail(enlarged: Tensor, painting: Tensor, whole: Tensor, small: Tensor) -> Tensor:
    """Return an enlarged painting (B, 3, H, W) with the detail of the frame that it follows; all are uint8.

    Args:
        enlarged: The painting at the size of the frame.
        painting: The painting (B, 3, h, w) as the model made it.
        whole: The frame (B, 3, H, W).
        small: What the model was given, (B, 3, h, w).

    """
    size = (int(whole.shape[2]), int(whole.shape[3]))
    guide, picture = luma(small), painting.float()
    # How strongly each channel follows the guide around a pixel: the covariance over the variance. More than once it
    # would show the steps and the noise of contours that the painting has deepened.
    planes = torch.cat([guide, guide * guide, guide * picture, picture], dim=1)
    average, square, product, mean = torch.split(average_around(planes), [1, 1, 3, 3], dim=1)
    gain = average_around((product - average * mean) / (square - average * average + EPSILON)).clamp_(-1, 1)
    detail = luma(whole).sub_(linear(guide, size))
    return rounded(linear(gain, size).mul_(detail).add_(enlarged))


def average_around(x: Tensor) -> Tensor:
    """Return the mean of ``x`` (B, C, H, W) over the box around each pixel, beyond the borders mirrored."""
    channels, edge = x.shape[1], 2 * RADIUS + 1
    if x.device.type == "cuda":
        return F.avg_pool2d(F.pad(x, (RADIUS,) * 4, mode="reflect"), edge, stride=1)
    # Twice along one axis, each channel by itself, is five times as fast on a CPU as the pooling of torch.
    line = torch.full((channels, 1, edge, 1), 1 / edge, device=x.device)
    x = F.pad(x, (RADIUS,) * 4, mode="reflect").contiguous(memory_format=torch.channels_last)
    return F.conv2d(F.conv2d(x, line, groups=channels), line.transpose(2, 3), groups=channels)


def luma(pictures: Tensor) -> Tensor:
    """Return the luma (B, 1, H, W) of RGB pictures, uint8 (B, 3, H, W), by ITU-R BT.709, as float32 in 0..255."""
    return F.conv2d(pictures.float(), torch.tensor(LUMA, device=pictures.device).view(1, 3, 1, 1))


def linear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return ``x`` (B, C, H, W) at a larger size, (height, width), by bilinear interpolation."""
    # Where it enlarges, antialiasing changes nothing; it is the faster form on a CPU, and the slower one on a GPU.
    return F.interpolate(x.contiguous(), size, mode="bilinear", antialias=x.device.type == "cpu")
