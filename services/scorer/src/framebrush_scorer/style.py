"""Neural style transfer as a frame model."""

import numpy as np
import numpy.typing as npt
import torch

from framebrush_scorer.net import TransformerNet, optimise, pad
from framebrush_scorer.precision import choose_device, choose_dtype


class StyleModel:
    """A TransformerNet that paints frames, on the best device in the fastest format that looks the same.

    Not safe for concurrent calls: guard it with a lock.
    """

    def __init__(self, name: str, net: TransformerNet, device: str = "auto") -> None:
        self.name = name
        self.device = choose_device(device)
        self.net = optimise(net).to(self.device)
        with torch.inference_mode():
            self.dtype = choose_dtype(self.net, self.device)
        # Instance normalisation needs pictures one by one, and on a CPU more at a time only cost memory.
        self.one_by_one = net.norm == "instance" or self.device.type == "cpu"

    @torch.inference_mode()
    def __call__(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Paint RGB frames (B, H, W, 3); any B, H, W >= 1."""
        out = np.empty_like(frames, order="C")
        step = 1 if self.one_by_one else len(frames)
        for k in range(0, len(frames), step):
            out[k : k + step] = self.paint(frames[k : k + step])
        return out

    def paint(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Paint frames in one pass through the network."""
        height, width = frames.shape[1:3]
        x = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        x = pad(x.permute(0, 3, 1, 2).to(self.dtype))  # (B, 3, H', W') in 0..255; stays channels_last
        y = self.net(x)[..., :height, :width].float().round_().clamp_(0, 255).to(torch.uint8)
        painted: npt.NDArray[np.uint8] = y.permute(0, 2, 3, 1).cpu().numpy()
        return painted
