"""Turns frames into tensors, and tensors into frames."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from framebrush_scorer.frames import RgbFrames


def to_tensor(frames: RgbFrames, device: torch.device) -> Tensor:
    """Return frames (B, H, W, 3) as a tensor, uint8 (B, 3, H, W) on a device, without a copy where possible.

    The memory format is channels_last.

    Raises:
        ValueError: The array is not uint8 or has another shape.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or frames.size == 0:
        raise ValueError(f"expected uint8 RGB frames (B, H, W, 3), got {frames.dtype} {frames.shape}")
    whole = torch.from_numpy(np.require(frames, requirements=["C", "W"]))
    return whole.to(device, non_blocking=True).permute(0, 3, 1, 2)


def rounded(pictures: Tensor) -> Tensor:
    """Return float values, rounded and clamped to 0..255, as uint8 of the same shape.

    Values that are float32 already are changed in place.
    """
    return pictures.float().round_().clamp_(0, 255).to(torch.uint8)


def to_frames(pictures: Sequence[Tensor]) -> RgbFrames:
    """Return the frames of several batches of pictures, each uint8 (B, 3, H, W), as one array (sum of B, H, W, 3)."""
    parts = [each.permute(0, 2, 3, 1) for each in pictures]
    frames = host_frames(sum(len(part) for part in parts), *parts[0].shape[1:3])
    whole = torch.from_numpy(frames)
    for target, part in zip(torch.split(whole, [len(part) for part in parts]), parts, strict=True):
        target.copy_(part.contiguous(), non_blocking=True)
    if parts[0].device.type == "cuda":
        torch.cuda.current_stream().synchronize()
    return frames


def host_frames(count: int, height: int, width: int) -> RgbFrames:
    """Return an array for frames, (count, height, width, 3), in the memory of the machine, with any values.

    If a GPU is in use, it is page-locked: a GPU copies such memory itself, several times as fast, and torch keeps it
    for the next that asks.
    """
    locked = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    frames: RgbFrames = torch.empty((count, height, width, 3), dtype=torch.uint8, pin_memory=locked).numpy()
    return frames
