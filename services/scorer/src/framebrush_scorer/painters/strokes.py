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


def smear(x: Tensor, doubled: Tensor, length: int, pace: int = 1) -> Tensor:
    """Return a picture averaged along its directions, by line integral convolution with a raised-cosine window.

    The method is that of Cabral, Leedom 1993, "Imaging Vector Fields Using Line Integral Convolution", with Euler
    steps.

    Args:
        x: Picture (B, C, H, W).
        doubled: Directions (B, 2, H, W), as :func:`directions` returns them.
        length: Half the length of the line in pixels.
        pace: The length of a step in pixels.

    """
    height, width = x.shape[2:]
    across = torch.linspace(-1, 1, width).to(x).expand(len(x), height, width)
    down = torch.linspace(-1, 1, height).to(x)[:, None].expand(len(x), height, width)
    wide, high = (2 * pace / max(edge - 1, 1) for edge in (width, height))
    field, first = torch.cat([doubled, x], 1), unit_vectors(doubled).unbind(-1)
    total, weights = x.clone(), 1.0
    for sign in (1, -1):
        column, row = across, down
        right, below = sign * first[0], sign * first[1]
        for k in range(pace, length + 1, pace):
            column, row = column + wide * right, row + high * below
            found = F.grid_sample(field, torch.stack([column, row], -1), padding_mode="border", align_corners=True)
            weight = math.cos(math.pi / 2 * k / (length + pace)) ** 2
            total.add_(found[:, 2:], alpha=weight)
            weights += weight
            # As complex numbers, the direction found is the square of the next step: its product with the conjugate of
            # the last step, plus that step, is the root on the side to which the line goes.
            cos, sin = found[:, 0], found[:, 1]
            right, below = (
                torch.addcmul(right, cos, right).addcmul_(sin, below),
                torch.addcmul(below, sin, right).addcmul_(cos, below, value=-1),
            )
            size = torch.rsqrt((right * right).addcmul_(below, below).add_(1e-12))
            right, below = right.mul_(size), below.mul_(size)
    return total / weights


def unit_vectors(doubled: Tensor) -> Tensor:
    """Return vectors of length one, (B, H, W, 2), for directions (B, 2, H, W), which have doubled angles."""
    angle = torch.atan2(doubled[:, 1], doubled[:, 0]) / 2
    return torch.stack([angle.cos(), angle.sin()], -1)


def grain(x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return what strokes are made of (B, 1, H, W), and the directions (B, 2, H, W) that they follow.

    It is the picture's detail of about ``sigma`` pixels, brought to the same contrast everywhere. Where there is no
    detail, there are no strokes.

    Args:
        x: Picture (B, 3, H, W) in 0..1.
        sigma: Half the width of a stroke in pixels.

    """
    light = luma_bt601(x)
    detail = blur(light, sigma) - blur(light, 2.2 * sigma)
    detail = detail / (blur(detail * detail, 5.0).sqrt() + 0.004)
    # Flat parts follow the coarse shapes around them, which half of the resolution shows as well.
    size = (int(x.shape[2]), int(x.shape[3]))
    half = F.interpolate(light, [-(-edge // 2) for edge in size], mode="area")
    coarse = F.interpolate(directions(blur(half, 3.0), 6.0), size, mode="bilinear")
    doubled = directions(blur(light, 1.0), 5.0) + 0.04 * coarse
    return detail, doubled / (doubled.square().sum(1, keepdim=True).sqrt() + 1e-6)


def even(relief: Tensor) -> Tensor:
    """Return the relief of strokes (B, 1, H, W) with the same height everywhere, about -2..2."""
    return relief / (blur(relief * relief, 8.0).sqrt() + 0.12)


def slope(relief: Tensor) -> Tensor:
    """Return how light a relief (B, 1, H, W) is under a lamp at its top left."""
    around = extend(relief, 1)
    return around[..., 1:-1, 2:] - around[..., 1:-1, :-2] + around[..., 2:, 1:-1] - around[..., :-2, 1:-1]


def streaks(x: Tensor, length: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the relief of brush strokes (B, 1, H, W), about -2..2, and the directions (B, 2, H, W) that they follow.

    Args:
        x: Picture (B, 3, H, W) in 0..1.
        length: Half the length of a stroke in pixels.
        sigma: Half the width of a stroke in pixels.

    """
    detail, along = grain(x, sigma)
    return even(smear(detail, along, length)), along


def lay_strokes(painting: Tensor, x: Tensor) -> Tensor:
    """Return a painting laid in strokes that follow the shapes of the picture that was painted.

    Its colours run along the strokes, whose relief is lit. A network's texture, which hangs on the pixel grid, goes
    with that, and most of its flicker.

    Args:
        painting: The painting (B, 3, H, W) in 0..1.
        x: The picture (B, 3, H, W) in 0..1.

    """
    detail, along = grain(x, 1.6)
    laid = smear(torch.cat([painting, detail], 1), along, 10, pace=2)
    relief = even(laid[:, 3:]).clamp(-2, 2)
    return (laid[:, :3] * (1 + 0.13 * relief) + 0.03 * slope(relief).clamp(-2, 2)).clamp(0, 1)
