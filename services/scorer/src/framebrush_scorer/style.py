"""Neural style transfer as a frame model."""

import numpy as np
import torch
from torch import Tensor

from framebrush_scorer.frames import Frames, to_frames, to_tensor
from framebrush_scorer.net import TransformerNet, optimise, pad
from framebrush_scorer.precision import choose_device, choose_dtype

PASS_PIXELS = 8 * 2**20
"""Pixels in one pass on a GPU: enough to keep it busy, about 3 GB at the original width in half precision."""


class StyleModel:
    """A TransformerNet that paints frames, on the best device in the fastest format that looks the same.

    Not safe for concurrent calls: guard it with a lock.
    """

    def __init__(self, name: str, net: TransformerNet, device: str = "auto") -> None:
        self.name = name
        self.device = choose_device(device)
        fast = optimise(net).to(self.device)
        self.dtype = choose_dtype(fast, self.device)
        self.net = fast.to(self.dtype)
        # Instance normalisation needs pictures one by one, and on a CPU more at a time only cost memory.
        self.one_by_one = net.norm == "instance" or self.device.type == "cpu"

    @torch.inference_mode()
    def __call__(self, frames: Frames) -> Frames:
        """Paint RGB frames (B, H, W, 3); any B, H, W >= 1.

        Raises:
            ValueError: These are no frames.
        """
        pictures = to_tensor(frames, self.device)
        count = 1 if self.one_by_one else max(1, PASS_PIXELS // pictures[0, 0].numel())
        return np.concatenate([to_frames(self.paint(part)) for part in torch.split(pictures, count)])

    def paint(self, pictures: Tensor) -> Tensor:
        """Paint uint8 (B, 3, H, W) in one pass; the values returned may lie outside of 0..255."""
        height, width = pictures.shape[2:]
        painted: Tensor = self.net(pad(pictures.to(self.dtype)))
        return painted[..., :height, :width]
