"""Local image filters that painters are made of.

Pictures are RGB float (B, 3, H, W) in 0..1, and planes are float (B, 1, H, W), both of any height and width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def kuwahara(x: Tensor, radius: int, sharpness: int = 8, sectors: int = 8) -> Tensor:
    """Return a picture in which each pixel is the mean of the calmest sectors around it.

    This is the filter of Papari, Petkov, Campisi 2007, "Artistic Edge and Corner Enhancing Smoothing", with
    the smooth weights of Kyprianidis 2009, "Image and Video Abstraction by Anisotropic Kuwahara Filtering", but without
    the anisotropy.

    Args:
        x: Picture (B, C, H, W) in 0..1.
        radius: The radius of the sectors in pixels.
        sharpness: How strongly calm sectors are preferred.
        sectors: The number of sectors.

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
    """Return smooth overlapping sectors of a Gaussian disc, (sectors, 1, 2 radius + 1, 2 radius + 1), each of sum 1."""
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
    """Return lightness rounded to the middles of ``levels`` tones, with soft steps between them.

    The steps are those of Winnemoeller, Olsen, Gooch 2006, "Real-Time Video Abstraction", equation 5 with a constant
    sharpness.

    Args:
        light: Lightness in 0..1, of any shape.
        levels: The number of tones.
        sharpness: How steep the steps are.

    """
    middle = torch.floor(light * levels) + 0.5
    return (middle + 0.5 * torch.tanh(sharpness * (light * levels - middle))) / levels


def contours(plane: Tensor, sigma: float, wider: float, bias: float, sharpness: float) -> Tensor:
    """Return a plane that is 0 on dark contours and on the dark side of edges, and 1 elsewhere.

    This is the thresholded difference of Gaussians of Winnemoeller, Kyprianidis, Olsen 2012, "XDoG: An eXtended
    difference-of-Gaussians compendium including advanced image stylization", equation 5 with p near its limit.

    Args:
        plane: Lightness (B, 1, H, W) in 0..1.
        sigma: The narrower Gaussian's standard deviation in pixels, which is half the width of a line.
        wider: The wider Gaussian's standard deviation in pixels.
        bias: How much darker than its surroundings a pixel must be, in 0..1.
        sharpness: How steep the border between line and paper is.

    """
    edge = blur(plane, sigma) - 0.985 * blur(plane, wider)
    return (1 + torch.tanh(sharpness * (edge + bias).clamp_max(0))).clamp(0, 1)


def ramp(plane: Tensor, inks: list[tuple[float, str]], sharpness: float) -> Tensor:
    """Return a picture (B, 3, H, W) printed in a few inks, chosen by lightness, with soft steps between them.

    Args:
        plane: Lightness (B, 1, H, W) in 0..1.
        inks: Pairs of the lightness from which an ink is used, in rising order, and the ink as six hexadecimal digits.
        sharpness: How steep the steps are.

    """
    picture = torch.zeros_like(plane).expand(-1, 3, -1, -1)
    for start, ink in inks:
        red, green, blue = (value / 255 for value in bytes.fromhex(ink))
        picture = torch.lerp(picture, colour(plane, red, green, blue), torch.sigmoid((plane - start) * sharpness))
    return picture


def blur(x: Tensor, sigma: float) -> Tensor:
    """Return planes (B, 1, H, W) after a Gaussian blur with a standard deviation of ``sigma`` pixels."""
    r = math.ceil(3 * sigma)
    kernel = torch.exp(-(torch.arange(-r, r + 1.0) ** 2) / (2 * sigma**2)).to(x)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    return F.conv2d(F.conv2d(extend(x, r), kernel), kernel.transpose(2, 3))


def extend(x: Tensor, margin: int) -> Tensor:
    """Return (B, C, H, W) with a margin of so many pixels on all sides.

    The margin mirrors the picture. Where the picture is smaller than the margin, its border pixels are repeated.
    """
    return F.pad(x, (margin,) * 4, mode="reflect" if min(x.shape[-2:]) > margin else "replicate")


def luma_bt601(x: Tensor) -> Tensor:
    """Return the luma of pictures (B, 3, H, W) by ITU-R BT.601, (B, 1, H, W), in the same range."""
    return (x * colour(x, 0.299, 0.587, 0.114)).sum(1, keepdim=True)


def colour(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    """Return a colour, given in 0..1, as (1, 3, 1, 1), with the device and type of ``like``."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).to(like)
