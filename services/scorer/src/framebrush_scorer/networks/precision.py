"""Chooses the number format of a network: the fastest one without a visible difference.

The format follows from the network and the kind of processor, never from a measurement: scorers that share a run, or
that do a batch again after a crash, must give the same bytes, however busy their machines are.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from framebrush.media import psnr

MIN_PSNR = 40.0
"""The least PSNR in dB between the outputs of a faster format and of float32."""

PROBE = 128
"""The edge of the probe picture in pixels."""


def fast_formats(device: torch.device) -> tuple[torch.dtype, ...]:
    """Return the formats that ``device`` computes at least about twice as fast as float32, the more exact ones first.

    On CUDA these are the tensor cores': float16 from compute capability 7.0 (V100, T4) and bfloat16 from 8.0 (A100).
    A CPU has bfloat16 if it has instructions for it (AVX512_BF16, AMX); without, it would be many times slower.
    """
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return (torch.float16,) * (capability >= (7, 0)) + (torch.bfloat16,) * (capability >= (8, 0))
    found = torch.cpu.get_capabilities()
    return (torch.bfloat16,) if found.get("avx512_bf16") or found.get("amx_bf16") else ()


@torch.no_grad()
def choose_dtype(net: nn.Module, device: torch.device, probe: Tensor | None = None) -> torch.dtype:
    """Return the format for a network: the first fast one that keeps :data:`MIN_PSNR` to float32, or float32.

    Args:
        net: The network, in float32, which takes and gives (1, 3, H, W) in 0..255.
        device: The device on which the network is.
        probe: The picture to try, (1, 3, H, W) in 0..255. By default it is always the same.

    """
    x = (make_probe() if probe is None else probe).to(device).to(memory_format=torch.channels_last)
    reference = net(x)
    for dtype in fast_formats(device):
        if likeness(copy.deepcopy(net).to(dtype)(x.to(dtype)), reference) >= MIN_PSNR:
            return dtype
    return torch.float32


def likeness(a: Tensor, b: Tensor) -> float:
    """Return the PSNR in dB of two pictures of any shape and float type, after clamping both to 0..255."""
    first, second = (x.float().clamp(0, 255).cpu().numpy() for x in (a, b))
    return psnr(first, second)


def make_probe() -> Tensor:
    """Return a picture of soft shapes with some detail, (1, 3, PROBE, PROBE) in 0..255, the same every time."""
    generator = torch.Generator().manual_seed(0)
    shapes = F.interpolate(torch.rand(1, 3, 9, 9, generator=generator), size=PROBE, mode="bilinear")
    detail = torch.rand(1, 3, PROBE, PROBE, generator=generator)
    return (255 * (0.85 * shapes + 0.15 * detail)).round()
