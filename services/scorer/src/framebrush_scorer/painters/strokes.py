"""Finds directions in a picture and filters along them, which makes strokes.

Strokes come from the picture's own fine texture, smeared along its contours, so that they move with what they are
painted on: no noise is involved, and no other frame.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.painters.filters import blur, extend, luma_bt601


def directions(plane: Tensor, sigma: float) -> Tensor:
    """Return the direction of least change at every pixel, (B, 2, H, W), as (cos 2a, sin 2a) times its certainty.

    It follows from the structure tensor of Bigun, Granlund 1987, "Optimal orientation detection of linear
    symmetry", with Sobel's derivatives. Angles are doubled so that they can be averaged: a and a + 180
    degrees are the same direction.

    Args:
        plane: Lightness (B, 1, H, W).
        sigma: The standard deviation in pixels of the Gaussian over which directions are averaged.

    """
    p = extend(plane, 1)
    across, down = p[..., 2:] - p[..., :-2], p[..., 2:, :] - p[..., :-2, :]
    dx = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    dy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return torch.cat([blur(dy * dy - dx * dx, sigma), -2 * blur(dx * dy, sigma)], 1)


def smear(x: Tensor, doubled: Tensor, length: int) -> Tensor:
    """Return a picture averaged along its directions, by line integral convolution with a raised-cosine window.

    The method is that of Cabral, Leedom 1993, "Imaging Vector Fields Using Line Integral Convolution", with Euler
    steps of one pixel.

    Args:
        x: Picture (B, C, H, W).
        doubled: Directions (B, 2, H, W), as :func:`directions` returns them.
        length: Half the length of the line in pixels.

    """
    height, width = x.shape[2:]
    across, down = torch.arange(width).to(x), torch.arange(height).to(x)
    start = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1).expand(len(x), -1, -1, -1)
    to_grid = 2 / torch.tensor([width - 1, height - 1]).clamp_min(1).to(x)
    field = torch.cat([doubled, x], 1)
    total, weights = x.clone(), 1.0
    for sign in (1, -1):
        place, step = start, sign * unit_vectors(doubled)
        for k in range(1, length + 1):
            place = place + step
            found = F.grid_sample(field, place * to_grid - 1, padding_mode="border", align_corners=True)
            weight = math.cos(math.pi / 2 * k / (length + 1)) ** 2
            total, weights = total + weight * found[:, 2:], weights + weight
            turned = unit_vectors(found[:, :2])
            step = torch.where((turned * step).sum(-1, keepdim=True) < 0, -turned, turned)
    return total / weights


def unit_vectors(doubled: Tensor) -> Tensor:
    """Return vectors of length one, (B, H, W, 2), for directions (B, 2, H, W), which have doubled angles."""
    angle = torch.atan2(doubled[:, 1], doubled[:, 0]) / 2
    return torch.stack([angle.cos(), angle.sin()], -1)


def streaks(x: Tensor, length: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the relief of brush strokes (B, 1, H, W), about -2..2, and the directions (B, 2, H, W) that they follow.

    The relief is the picture's detail of about ``sigma`` pixels, brought to the same contrast everywhere and smeared
    along the directions. Where there is no detail, there is no relief.

    Args:
        x: Picture (B, 3, H, W) in 0..1.
        length: Half the length of a stroke in pixels.
        sigma: Half the width of a stroke in pixels.

    """
    light = luma_bt601(x)
    detail = blur(light, sigma) - blur(light, 2.2 * sigma)
    detail = detail / (blur(detail * detail, 5.0).sqrt() + 0.004)
    # Flat parts follow the coarse shapes around them.
    doubled = directions(blur(light, 1.0), 5.0) + 0.16 * directions(blur(light, 6.0), 12.0)
    doubled = doubled / (doubled.square().sum(1, keepdim=True).sqrt() + 1e-6)
    relief = smear(detail, doubled, length)
    return relief / (blur(relief * relief, 8.0).sqrt() + 0.12), doubled
