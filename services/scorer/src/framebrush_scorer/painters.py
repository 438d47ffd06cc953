"""Painters: local image filters that turn a photograph into a painting.

They hold still in moving pictures by construction, as each pixel depends on its surroundings only. Some are frame
models of their own; each can teach a network (:mod:`framebrush_scorer.training`). Pictures are RGB float (B, 3, H, W)
in 0..1, of any size.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from framebrush_scorer.frames import Frames, to_frames, to_tensor
from framebrush_scorer.precision import choose_device

Painter = Callable[[Tensor], Tensor]


def oil(x: Tensor) -> Tensor:
    """Thick paint: patches of one colour with crisp borders, saturated, lit from the lower right."""
    y = kuwahara(kuwahara(x, 7), 5)
    y = (y - 0.5) * 1.12 + 0.5
    light = y.mean(1, keepdim=True)
    around = extend(light, 1)
    slope = around[..., 1:-1, 2:] - around[..., 1:-1, :-2] + around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    return (light + (y - light) * 1.35 + 0.6 * slope).clamp(0, 1)


def ink(x: Tensor) -> Tensor:
    """Brown-blue ink and a grey wash on warm paper."""
    paper, pigment = colour(x, 0.97, 0.94, 0.86), colour(x, 0.12, 0.13, 0.20)
    y = kuwahara(x, 5)
    light = y.mean(1, keepdim=True)
    edge = 19 * blur(light, 1.0) - 18 * blur(light, 1.6)
    line = (1 + torch.tanh(10 * (edge - 0.55).clamp_max(0))).clamp(0, 1)
    step = torch.floor(light * 5 + 0.5) / 5 - light
    tone = light + 0.8 * step * torch.sigmoid(200 * (step.abs() - 0.02))
    wash = 0.55 * torch.lerp(pigment, paper, tone.clamp(0, 1) ** 0.8) + 0.45 * paper * y
    return torch.lerp(pigment, wash, line).clamp(0, 1)


def gouache(x: Tensor) -> Tensor:
    """Flat opaque colours in few tones, indigo shadows, warm lights, contours drawn with a brush."""
    shade, paper, pigment = colour(x, 0.13, 0.10, 0.32), colour(x, 1.0, 0.97, 0.89), colour(x, 0.09, 0.09, 0.20)
    y = kuwahara(kuwahara(x, 4), 3)
    light = luma(y)
    tone = quantise(light.clamp(0, 1) ** 0.72, levels=6, sharpness=6)
    chroma = (y - light) * (tone / (light + 0.04)).clamp_max(2.2)
    flat = paper * (tone + 1.45 * chroma) + 0.45 * (1 - tone) ** 2 * shade
    lifted = luma(x) ** 0.6  # so that dark scenes have contours too
    edge = blur(lifted, 1.25) - 0.985 * blur(lifted, 2.0)
    line = (1 + torch.tanh(70 * (edge + 0.004).clamp_max(0))).clamp(0, 1)
    return torch.lerp(pigment, flat, line).clamp(0, 1)


PAINTERS: dict[str, Painter] = {"gouache": gouache, "ink": ink, "oil": oil}


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

    Winnemoeller, Olsen, Gooch 2006, "Real-Time Video Abstraction", equation 5 with a constant sharpness. The contours
    drawn above are the difference of Gaussians of Winnemoeller, Kyprianidis, Olsen 2012, "XDoG".
    """
    middle = torch.floor(light * levels) + 0.5
    return (middle + 0.5 * torch.tanh(sharpness * (light * levels - middle))) / levels


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of one-channel pictures (B, 1, H, W)."""
    r = math.ceil(3 * sigma)
    kernel = torch.exp(-(torch.arange(-r, r + 1.0) ** 2) / (2 * sigma**2)).to(x)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    return F.conv2d(F.conv2d(extend(x, r), kernel), kernel.transpose(2, 3))


def extend(x: Tensor, margin: int) -> Tensor:
    """Add a margin on all sides: mirrored, or repeated where the picture is smaller than the margin."""
    return F.pad(x, (margin,) * 4, mode="reflect" if min(x.shape[-2:]) > margin else "replicate")


def luma(x: Tensor) -> Tensor:
    """Return the luma of ITU-R BT.601, (B, 1, H, W)."""
    return (x * colour(x, 0.299, 0.587, 0.114)).sum(1, keepdim=True)


def colour(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    """Return one colour as (1, 3, 1, 1)."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).to(like)


class PainterModel:
    """A painter as a frame model, in float32."""

    def __init__(self, name: str, device: str = "auto") -> None:
        self.name, self.paint, self.device = name, PAINTERS[name], choose_device(device)

    @torch.inference_mode()
    def __call__(self, frames: Frames) -> Frames:
        """Paint RGB frames (B, H, W, 3), one at a time to bound memory.

        Raises:
            ValueError: These are no frames.
        """
        pictures = torch.split(to_tensor(frames, self.device), 1)
        return np.concatenate([to_frames(255 * self.paint(picture.float() / 255)) for picture in pictures])
