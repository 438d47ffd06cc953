"""RgbFrames as tensors, and back."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from framebrush_scorer.frames import RgbFrames


def to_tensor(frames: RgbFrames, device: torch.device) -> Tensor:
    """Return frames as uint8 (B, 3, H, W) on a device, in channels_last order, without a copy where possible.

    Raises:
        ValueError: These are no frames.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or frames.size == 0:
        raise ValueError(f"expected uint8 RGB frames (B, H, W, 3), got {frames.dtype} {frames.shape}")
    return torch.from_numpy(np.require(frames, requirements=["C", "W"])).to(device).permute(0, 3, 1, 2)


def rounded(pictures: Tensor) -> Tensor:
    """Return pictures in 0..255, of any float type, rounded and clamped, as uint8."""
    return pictures.float().round_().clamp_(0, 255).to(torch.uint8)


def to_frames(pictures: Sequence[Tensor]) -> RgbFrames:
    """Return pictures, each uint8 (B, 3, H, W), as frames, one after the other."""
    frames: RgbFrames = torch.cat([each.permute(0, 2, 3, 1).contiguous().cpu() for each in pictures]).numpy()
    return frames
