"""Computes how far a network's painting is from its target, and from the painting of a moment later."""

import torch
import torch.nn.functional as F
from torch import Tensor


def painting_loss(y: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error of colours, of gradients, and of the amount of gradient, a scalar.

    Absolute errors alone are smallest where an uncertain contour is blurred; the amount of gradient in 8x8 pixels,
    which does not ask where in them a contour runs, keeps it crisp.

    Args:
        y: Paintings, RGB (B, 3, H, W) in 0..1.
        target: Their targets, in the same form.

    """
    loss = F.l1_loss(y, target)
    for axis in (2, 3):
        a, b = y.diff(dim=axis), target.diff(dim=axis)
        loss = loss + F.l1_loss(a, b) + 0.5 * F.l1_loss(F.avg_pool2d(a.abs(), 8), F.avg_pool2d(b.abs(), 8))
    return loss


STYLE_WEIGHT = 1e5
"""The weight of the style against the content, which is that of pytorch/examples ``fast_neural_style``."""


def gram(seen: Tensor) -> Tensor:
    """Return the Gram matrices of activations (B, C, H, W): the mean products of all pairs of channels, divided by C.

    They are (B, C, C).
    """
    flat = seen.flatten(2)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def perceptual_loss(seen: dict[str, Tensor], content: Tensor, style: dict[str, Tensor]) -> Tensor:
    """Return how far a painting is from a content and a style, a scalar.

    It is the squared distance of ``relu2_2`` from the content's, and that of the Gram matrices of all layers from the
    style's, by Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", equations 2
    to 4.

    Args:
        seen: Activations (B, C, H, W) of the painting by layer.
        content: Activations (B, C, H, W) of the content at ``relu2_2``.
        style: Gram matrices (1, C, C) of the style by layer.

    """
    loss = F.mse_loss(seen["relu2_2"], content)
    for name, wanted in style.items():
        found = gram(seen[name])
        loss = loss + STYLE_WEIGHT * F.mse_loss(found, wanted.expand_as(found))
    return loss


def random_flow(generator: torch.Generator, count: int, size: int) -> Tensor:
    """Return sampling grids (count, size, size, 2) of a camera that moved a little before things that moved a little.

    As in Wang et al. 2020, "Consistent Video Style Transfer via Relaxation and Regularization", they are the sum of a
    shift and a smooth flow, here of a few pixels each.
    """
    base = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 3, size, size], align_corners=False)
    shift = torch.randn(count, 1, 1, 2, generator=generator) * 8 / size
    coarse = torch.randn(count, 2, 4, 4, generator=generator) * 3 / size
    smooth = F.interpolate(coarse, size=(size, size), mode="bicubic").permute(0, 2, 3, 1)
    return base + shift + smooth


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) sampled along grids (B, H, W, 2), whose coordinates are -1..1."""
    return F.grid_sample(x, flow, padding_mode="reflection", align_corners=False)


def stability_loss(now: Tensor, later: Tensor, flow: Tensor) -> Tensor:
    """Return the mean absolute difference between moved paintings and the paintings of moved pictures, a scalar.

    Args:
        now: Paintings (B, 3, H, W) of pictures.
        later: Paintings of the same pictures after they were moved.
        flow: The sampling grids (B, H, W, 2) that moved them.

    """
    inside = (flow.abs().amax(-1) < 1).unsqueeze(1)
    return ((warp(now, flow) - later).abs() * inside).mean()
