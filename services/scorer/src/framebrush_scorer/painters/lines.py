"""Finds the lines of a picture and averages along them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.painters.filters import blur, extend

TOLERANCE = 0.05
"""The difference of lightness, in 0..1, at which a line has half of its weight left."""


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


def smear(x: Tensor, doubled: Tensor, light: Tensor, length: int, pace: int = 1) -> Tensor:
    """Return a picture averaged along its directions, by line integral convolution with a raised-cosine window.

    The method is that of Cabral, Leedom 1993, "Imaging Vector Fields Using Line Integral Convolution", with Euler
    steps. Lines that fade where lightness changes are those of Kang, Lee, Chui 2009, "Flow-Based Image Abstraction".

    Args:
        x: Picture (B, C, H, W).
        doubled: Directions (B, 2, H, W), as :func:`directions` returns them.
        light: Lightness (B, 1, H, W) in 0..1. A line fades where it differs from that of the line's middle, so that
            small shapes stay.
        length: Half the length of the line in pixels, at most.
        pace: The length of a step in pixels.

    """
    height, width = x.shape[2:]
    across = torch.linspace(-1, 1, width).to(x).expand(len(x), height, width)
    down = torch.linspace(-1, 1, height).to(x)[:, None].expand(len(x), height, width)
    wide, high = (2 * pace / max(edge - 1, 1) for edge in (width, height))
    field, first = torch.cat([doubled, light, x], 1), unit_vectors(doubled).unbind(-1)
    total, weights = x.clone(), torch.ones_like(x[:, :1])
    for sign in (1, -1):
        column, row, left = across, down, torch.ones_like(weights)
        right, below = sign * first[0], sign * first[1]
        for k in range(pace, length + 1, pace):
            column, row = column + wide * right, row + high * below
            found = F.grid_sample(field, torch.stack([column, row], -1), padding_mode="border", align_corners=True)
            left = left / (1 + ((found[:, 2:3] - light) / TOLERANCE).square())
            weight = math.cos(math.pi / 2 * k / (length + pace)) ** 2 * left
            total.addcmul_(found[:, 3:], weight)
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
