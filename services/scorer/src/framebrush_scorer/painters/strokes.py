"""Strokes, which follow the shapes of a picture.

They come from the picture's own fine texture, smeared along its contours, so that they move with what they are
painted on: no noise is involved, and no other frame.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.painters.filters import blur, extend, luma_bt601
from framebrush_scorer.painters.lines import directions, smear


class Grain(NamedTuple):
    """What strokes are made of, from one picture."""

    detail: Tensor
    """The picture's detail as wide as a stroke, (B, 1, H, W), with the same contrast everywhere. Where there is none,
    there are no strokes."""
    along: Tensor
    """The directions (B, 2, H, W) that strokes follow, as
    :func:`framebrush_scorer.painters.lines.directions` returns them, of about length one."""
    light: Tensor
    """The picture's lightness without its noise, (B, 1, H, W) in 0..1."""
    shape: Tensor
    """What small shapes are lighter than their surroundings, (B, 1, H, W) in -1..1."""


def grain(x: Tensor, sigma: float) -> Grain:
    """Return what strokes are made of.

    Args:
        x: Picture (B, 3, H, W) in 0..1.
        sigma: Half the width of a stroke in pixels.

    """
    light = luma_bt601(x)
    fine, around = blur(light, 1.0), blur(light, 2.2 * sigma)
    detail = blur(light, sigma) - around
    detail = detail / (blur(detail * detail, 5.0).sqrt() + 0.008)
    # Flat parts follow the coarse shapes around them, which half of the resolution shows as well.
    size = (int(x.shape[2]), int(x.shape[3]))
    half = F.interpolate(light, [-(-edge // 2) for edge in size], mode="area")
    coarse = F.interpolate(directions(blur(half, 3.0), 6.0), size, mode="bilinear")
    doubled = directions(fine, 5.0) + 0.04 * coarse
    along = doubled / (doubled.square().sum(1, keepdim=True).sqrt() + 1e-6)
    return Grain(detail, along, fine, fine - around)


def even(relief: Tensor) -> Tensor:
    """Return the relief of strokes (B, 1, H, W) with the same height everywhere, about -2..2."""
    return relief / (blur(relief * relief, 8.0).sqrt() + 0.12)


def slope(relief: Tensor) -> Tensor:
    """Return how light a relief (B, 1, H, W) is under a lamp at its top left."""
    around = extend(relief, 1)
    return around[..., 1:-1, 2:] - around[..., 1:-1, :-2] + around[..., 2:, 1:-1] - around[..., :-2, 1:-1]


def streaks(x: Tensor, length: int, sigma: float) -> tuple[Tensor, Grain]:
    """Return the relief of brush strokes (B, 1, H, W), about -2..2, and what they are made of.

    Args:
        x: Picture (B, 3, H, W) in 0..1.
        length: Half the length of a stroke in pixels.
        sigma: Half the width of a stroke in pixels.

    """
    made = grain(x, sigma)
    return even(smear(made.detail, made.along, made.light, length)), made


def lay_strokes(painting: Tensor, x: Tensor) -> Tensor:
    """Return a painting laid in strokes that follow the shapes of the picture that was painted.

    Its colours run along the strokes, whose relief is lit. A network's texture, which hangs on the pixel grid, goes
    with that, and most of its flicker. Strokes end where the picture's lightness changes, and its small shapes are
    drawn over them, as the eyes of a face have to be.

    Args:
        painting: The painting (B, 3, H, W) in 0..1.
        x: The picture (B, 3, H, W) in 0..1.

    """
    made = grain(x, 1.6)
    laid = smear(torch.cat([painting, made.detail], 1), made.along, made.light, 10, 2)
    relief = even(laid[:, 3:]).clamp(-2, 2)
    lit = laid[:, :3] * (1 + 0.13 * relief) + 0.03 * slope(relief).clamp(-2, 2)
    return (lit + 0.4 * made.shape).clamp(0, 1)
