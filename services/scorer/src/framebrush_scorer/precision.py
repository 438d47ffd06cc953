"""Where and in which number format a network runs fastest without a visible difference."""

import copy
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIN_PSNR = 40.0
"""Decibels that a faster format must keep to the float32 output, of 8-bit range."""

MIN_GAIN = 0.1
"""Part of the time that another format than float32 must save to be worth it."""

PROBE = 128
"""Edge of the probe picture in pixels: large enough to rank the formats, small enough to start quickly."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes CUDA where there is any.

    Raises:
        ValueError: The name is none of these, or this machine has no such device.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in {"cpu", "cuda"} or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise ValueError(f"device {name!r} is not one of: auto, cpu, cuda, cuda:N")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {name!r} is not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return torch.device(name)


@torch.no_grad()
def choose_dtype(net: nn.Module, device: torch.device, probe: Tensor | None = None) -> torch.dtype:
    """Return the format in which ``net``, on ``device``, is fastest and stays within :data:`MIN_PSNR` of float32.

    Measures: processors differ by more than ten times in their speed at bfloat16.

    Args:
        net: Takes and gives (1, 3, H, W) in 0..255; must be in float32.
        device: Where ``net`` is.
        probe: The picture to try, (1, 3, H, W) in 0..255; a fixed one by default.

    """
    x = (make_probe() if probe is None else probe).to(device).to(memory_format=torch.channels_last)
    reference = net(x)
    calls: dict[torch.dtype, Callable[[], Tensor]] = {torch.float32: partial(net, x)}
    for dtype in (torch.float16, torch.bfloat16) if device.type == "cuda" else (torch.bfloat16,):
        call = partial(copy.deepcopy(net).to(dtype), x.to(dtype))
        if psnr(call(), reference) >= MIN_PSNR:
            calls[dtype] = call
    # In turns, and the shortest of several: other programs slow all formats down alike.
    times = [{dtype: measure(call, device) for dtype, call in calls.items()} for _ in range(5)]
    shortest = {dtype: min(turn[dtype] for turn in times) for dtype in calls}
    shortest[torch.float32] *= 1 - MIN_GAIN
    return min(shortest, key=lambda dtype: shortest[dtype])


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB between pictures in 0..255, clamped first; NaN where one is not finite."""
    error = F.mse_loss(a.double().clamp(0, 255), b.double().clamp(0, 255))
    return float(20 * torch.log10(torch.tensor(255.0)) - 10 * torch.log10(error))


def measure(call: Callable[[], object], device: torch.device) -> float:
    """Return the duration of ``call`` in seconds."""
    synchronise(device)
    start = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def make_probe() -> Tensor:
    """Return a picture of soft shapes with some detail, (1, 3, PROBE, PROBE) in 0..255, the same every time."""
    generator = torch.Generator().manual_seed(0)
    shapes = F.interpolate(torch.rand(1, 3, 9, 9, generator=generator), size=PROBE, mode="bilinear")
    detail = torch.rand(1, 3, PROBE, PROBE, generator=generator)
    return (255 * (0.85 * shapes + 0.15 * detail)).round()
