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
    return torch.from_numpy(np.require(frames, requirements=["C", "W"])).to(device).permute(0, 3, 1, 2)


def rounded(pictures: Tensor) -> Tensor:
    """Return float values, rounded and clamped to 0..255, as uint8 of the same shape.

    Values that are float32 already are changed in place.
    """
    return pictures.float().round_().clamp_(0, 255).to(torch.uint8)


def to_frames(pictures: Sequence[Tensor]) -> RgbFrames:
    """Return the frames of several batches of pictures, each uint8 (B, 3, H, W), as one array (sum of B, H, W, 3)."""
    frames: RgbFrames = torch.cat([each.permute(0, 2, 3, 1).contiguous().cpu() for each in pictures]).numpy()
    return frames
