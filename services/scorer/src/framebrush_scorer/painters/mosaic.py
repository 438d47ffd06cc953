"""The painter ``mosaic``: stained glass, with cells of one colour each in frames of lead.

The cells are basins of the picture's own contours, so that they stay where the things in the picture are.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.painters.filters import blur, colour, extend, kuwahara, luma_bt601

REACH = 5
"""The least distance in pixels between the seeds of two cells."""


def mosaic(x: Tensor) -> Tensor:
    """Return the paintings of pictures, both RGB float (B, 3, H, W) in 0..1."""
    return torch.cat([glaze(picture) for picture in torch.split(x, 1)])


def glaze(x: Tensor) -> Tensor:
    """Return the painting of one picture (1, 3, H, W): saturated glass, brighter in the middle of a cell, and lead."""
    labels = cells(kuwahara(x, 3)).to(x.device)
    glass = average(x, labels)
    light = luma_bt601(glass)
    glass = (light + (glass - light) * 1.9) * (1.1 * (light + 1e-3) ** -0.3).clamp_max(2.5)
    plane = labels[None, None].to(x)
    rim = (F.max_pool2d(plane, 3, 1, 1) != -F.max_pool2d(-plane, 3, 1, 1)).float()
    inside = np.require(1 - rim[0, 0].cpu().numpy(), np.uint8)
    depth = torch.from_numpy(cv2.distanceTransform(inside, cv2.DIST_L2, 5)).to(x)[None, None].clamp_max(8)
    around = extend(blur(depth, 1.0), 1)
    bevel = around[..., 1:-1, 2:] - around[..., 1:-1, :-2] + around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    glass = glass * (0.85 + 0.35 * depth / (depth + 4) + 0.06 * bevel)
    lead = (1.5 * blur(rim, 0.9)).clamp(0, 1)
    return torch.lerp(glass.clamp(0, 1), colour(x, 0.05, 0.05, 0.06), lead)


def cells(x: Tensor) -> Tensor:
    """Return the number of the cell of every pixel, (H, W), for a smooth picture (1, 3, H, W).

    The cells are basins of the watershed of Meyer 1992, "Color image segmentation", and grow from the calmest places.
    Numbers are 0 or more, as int64.
    """
    around, light = extend(x, 1), luma_bt601(x)
    dx, dy = around[..., 1:-1, 2:] - around[..., 1:-1, :-2], around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    slope = (dx**2 + dy**2).sum(1, keepdim=True).sqrt()
    # Flat parts are calm everywhere: the faint shapes in them decide.
    unrest = blur(slope, 2.0) + 0.03 * (blur(light, 1.5) - blur(light, 5.0)).abs()
    calmest = unrest <= -F.max_pool2d(-unrest, 2 * REACH + 1, 1, REACH)
    _, seeds = cv2.connectedComponents(calmest[0, 0].cpu().numpy().astype(np.uint8))
    picture = (255 * x[0]).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    labels = torch.from_numpy(cv2.watershed(np.ascontiguousarray(picture), seeds))
    # The borders between cells and the rim of the picture are -1.
    return F.max_pool2d(labels[None].float(), 3, 1, 1)[0].long().clamp_min(0)


def average(x: Tensor, labels: Tensor) -> Tensor:
    """Return a picture (1, 3, H, W) with every pixel replaced by the mean of its cell, (H, W)."""
    flat = labels.flatten()
    counts = torch.bincount(flat).clamp_min(1)
    means = torch.stack([torch.bincount(flat, plane.flatten()) / counts for plane in x[0]])
    return means[:, labels][None].to(x)
