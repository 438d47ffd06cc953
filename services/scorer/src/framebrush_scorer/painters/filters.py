"""Local image filters that painters are made of.

Pictures are RGB float (B, 3, H, W) in 0..1, planes (B, 1, H, W), of any size.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def kuwahara(x: Tensor, radius: int, sharpness: int = 8, sectors: int = 8) -> Tensor:
    """Each pixel becomes the mean of its calmest sectors.

    Papari, Petkov, Campisi 2007, "Artistic Edge and Corner Enhancing Smoothing", with the smooth weights of Kyprianidis
    2009, "Image and Video Abstraction by Anisotropic Kuwahara Filtering", without the anisotropy.
    """
    b, c, h, w = x.shape
    kernels, padded = sector_kernels(radius, sectors).to(x), extend(x, radius)
    mean, square = (
        F.conv2d(v.reshape(b * c, 1, *v.shape[2:]), kernels).view(b, c, sectors, h, w) for v in (padded, padded**2)
    )
    variance = (square - mean * mean).clamp_min(0).sum(1, keepdim=True) * 255**2
    weight = 1 / (1 + variance.pow(sharpness / 2))
    return (mean * weight).sum(2) / weight.sum(2)


def sector_kernels(radius: int, sectors: int) -> Tensor:
    """Return smooth overlapping sectors of a Gaussian disc, (sectors, 1, 2r+1, 2r+1), each of sum 1."""
    y, x = torch.meshgrid(*[torch.arange(-radius, radius + 1.0)] * 2, indexing="ij")
    disc = torch.exp(-(x * x + y * y) / (2 * (radius / 2) ** 2)) * (x * x + y * y <= radius * radius)
    angle, kernels = torch.atan2(y, x), []
    for k in range(sectors):
        turn = (angle - 2 * math.pi * k / sectors + math.pi) % (2 * math.pi) - math.pi
        weight = torch.cos(turn * sectors / 4).clamp_min(0) * (turn.abs() < 2 * math.pi / sectors)
        weight[radius, radius] = 1 / sectors
        kernels.append(weight * disc / (weight * disc).sum())
    return torch.stack(kernels)[:, None]


def quantise(light: Tensor, levels: int, sharpness: float) -> Tensor:
    """Round to the middles of ``levels`` tones with soft steps between them.

    Winnemoeller, Olsen, Gooch 2006, "Real-Time Video Abstraction", equation 5 with a constant sharpness.
    """
    middle = torch.floor(light * levels) + 0.5
    return (middle + 0.5 * torch.tanh(sharpness * (light * levels - middle))) / levels


def contours(plane: Tensor, sigma: float, wider: float, bias: float, sharpness: float) -> Tensor:
    """Return 0 on dark contours and on the dark side of edges, 1 elsewhere, (B, 1, H, W).

    The thresholded difference of Gaussians of Winnemoeller, Kyprianidis, Olsen 2012, "XDoG: An eXtended
    difference-of-Gaussians compendium including advanced image stylization", equation 5 with p near its limit.

    Args:
        plane: Lightness (B, 1, H, W) in 0..1.
        sigma: Of the narrower Gaussian, in pixels: half the width of a line.
        wider: Of the other.
        bias: How far below its surroundings a pixel must be; in 0..1.
        sharpness: Of the border between line and paper.

    """
    edge = blur(plane, sigma) - 0.985 * blur(plane, wider)
    return (1 + torch.tanh(sharpness * (edge + bias).clamp_max(0))).clamp(0, 1)


def ramp(plane: Tensor, inks: list[tuple[float, str]], sharpness: float) -> Tensor:
    """Return a picture in a few inks, by lightness, with soft steps between them.

    Args:
        plane: Lightness (B, 1, H, W) in 0..1.
        inks: Pairs of the lightness from which an ink is used, rising, and the ink as six hexadecimal digits.
        sharpness: Of the steps.

    """
    picture = torch.zeros_like(plane).expand(-1, 3, -1, -1)
    for start, ink in inks:
        red, green, blue = (value / 255 for value in bytes.fromhex(ink))
        picture = torch.lerp(picture, colour(plane, red, green, blue), torch.sigmoid((plane - start) * sharpness))
    return picture


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of one-channel pictures (B, 1, H, W)."""
    r = math.ceil(3 * sigma)
    kernel = torch.exp(-(torch.arange(-r, r + 1.0) ** 2) / (2 * sigma**2)).to(x)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    return F.conv2d(F.conv2d(extend(x, r), kernel), kernel.transpose(2, 3))


def extend(x: Tensor, margin: int) -> Tensor:
    """Add a margin on all sides: mirrored, or repeated where the picture is smaller than the margin."""
    return F.pad(x, (margin,) * 4, mode="reflect" if min(x.shape[-2:]) > margin else "replicate")


def luma_bt601(x: Tensor) -> Tensor:
    """Return the luma of ITU-R BT.601, (B, 1, H, W)."""
    return (x * colour(x, 0.299, 0.587, 0.114)).sum(1, keepdim=True)


def colour(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    """Return one colour as (1, 3, 1, 1)."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).to(like)
