"""A style network as a frame model."""

import copy
from typing import Self

import torch
from torch import Tensor, nn

from framebrush_scorer.device import choose_device, memory_limit
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models.painted import REACH
from framebrush_scorer.models.tensors import rounded, to_frames, to_tensor
from framebrush_scorer.models.tiles import halo, in_tiles
from framebrush_scorer.networks import FusedNet, TransformerNet, choose_dtype, optimise, pad
from framebrush_scorer.painters import lay_strokes

PASS_PIXELS = 8 * 2**20
"""The number of pixels in one pass on a GPU: they keep it busy, and take about 3 GB at the original width in half
precision."""

LIVE_PLANES = 5
"""How many layers as wide as the first and as large as the picture are in memory at once, at most."""


class StyleModel:
    """Paints frames with a TransformerNet, in the fastest number format that looks the same.

    RgbFrames too large for the memory are painted in tiles, unless the network has instance normalisation, whose
    statistics are those of the whole picture.

    Only one thread may call it at a time.

    Args:
        name: The name under which it was loaded.
        net: The trained network.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        memory: Bytes that a pass may take beside the frames. By default this is a quarter of what the container,
            machine or card has.
        natural_edge: The shorter edge of frames that its strokes are made for, see :class:`FrameModel`; None if they
            have the same size in pixels on all frames.
        strokes: Whether paintings are laid in strokes, see :func:`framebrush_scorer.painters.lay_strokes`.

    Raises:
        ValueError: There is no such device.

    """

    def __init__(
        self,
        name: str,
        net: TransformerNet,
        device: str = "auto",
        memory: int | None = None,
        natural_edge: int | None = None,
        *,
        strokes: bool = False,
    ) -> None:
        self.name, self.natural_edge, self.strokes = name, natural_edge, strokes
        self.device = choose_device(device)
        fast = optimise(net).to(self.device)
        self.dtype = choose_dtype(fast, self.device)
        self.net: nn.Module = fast.to(self.dtype)
        if self.device.type == "cuda" and net.norm == "batch":
            self.net = FusedNet(fast)
        # Instance normalisation needs pictures one by one, and on a CPU more at a time only cost memory.
        self.one_by_one = net.norm == "instance" or self.device.type == "cpu"
        self.reach = halo(net) if net.norm == "batch" else None
        bytes_per_pixel = LIVE_PLANES * net.width * self.dtype.itemsize
        self.pixels = max(1, (memory or memory_limit(self.device)) // bytes_per_pixel)

    def with_strokes(self, strokes: bool) -> Self:
        """Return the same model, with or without strokes. Both share the network."""
        other = copy.copy(self)
        other.strokes = strokes
        return other

    @torch.inference_mode()
    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return the paintings of frames, both uint8 (B, H, W, 3), for any B, H, W >= 1.

        Raises:
            ValueError: The array has another type or shape.
        """
        return to_frames(self.paint_parts(to_tensor(frames, self.device)))

    @torch.inference_mode()
    def paint_tensor(self, pictures: Tensor) -> Tensor:
        """Return the paintings of pictures on the device, both uint8 (B, 3, H, W)."""
        return torch.cat(self.paint_parts(pictures))

    def paint_parts(self, pictures: Tensor) -> list[Tensor]:
        """Return the paintings of pictures on the device, both uint8 (B, 3, H, W), in parts of one pass each."""
        size = pictures[0, 0].numel()
        count = 1 if self.one_by_one else max(1, min(PASS_PIXELS, self.pixels) // size)
        parts = torch.split(pictures, count)
        if self.reach is None or size <= self.pixels:
            paintings = [rounded(self.paint(part)) for part in parts]
        else:
            reach = self.reach
            paintings = [in_tiles(lambda x: rounded(self.paint(x)), part, reach, self.pixels) for part in parts]
        return [self.lay(*each) for each in zip(paintings, parts, strict=True)] if self.strokes else paintings

    def lay(self, paintings: Tensor, pictures: Tensor) -> Tensor:
        """Return paintings, laid in strokes that follow the shapes of the pictures; all are uint8 (B, 3, H, W)."""

        def laid(both: Tensor) -> Tensor:
            painting, picture = torch.split(both.float() / 255, 3, dim=1)
            return rounded(255 * lay_strokes(painting, picture))

        return in_tiles(laid, torch.cat([paintings, pictures], 1), REACH, self.pixels)

    def paint(self, pictures: Tensor) -> Tensor:
        """Return the paintings of pictures, uint8 (B, 3, H, W), computed in one pass.

        They have the network's number format, and their values may lie outside of 0..255.
        """
        height, width = pictures.shape[2:]
        painted: Tensor = self.net(pad(pictures.to(self.dtype)))
        return painted[..., :height, :width]
