"""A painter as a frame model."""

import torch
from torch import Tensor

from framebrush_scorer.device import choose_device, memory_limit
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models.tensors import rounded, to_frames, to_tensor
from framebrush_scorer.models.tiles import in_tiles
from framebrush_scorer.painters import find_painter

REACH = 128
"""The distance in pixels up to which the surroundings of a pixel decide its colour, generously rounded up. Cells of a
mosaic can be larger; they then differ a little where two tiles meet."""

NATURAL_EDGE = 360
"""The shorter edge in pixels of the frames for which the strokes of all painters are made."""

BYTES_PER_PIXEL = 1024
"""The memory that any painter takes per pixel, at most."""


class PainterModel:
    """Paints frames with a painter, in float32. Frames that are too large for the memory are painted in tiles.

    Args:
        name: One of :data:`framebrush_scorer.painters.PAINTERS`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        memory: Bytes that a pass may take beside the frames. By default this is a quarter of what the container,
            machine or card has.

    Raises:
        KeyError: There is no such painter.
        ValueError: There is no such device.

    """

    def __init__(self, name: str, device: str = "auto", memory: int | None = None) -> None:
        self.natural_edge = NATURAL_EDGE
        self.name, self.painter, self.device = name, find_painter(name), choose_device(device)
        self.pixels = (memory or memory_limit(self.device)) // BYTES_PER_PIXEL

    @torch.inference_mode()
    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return the paintings of frames, both uint8 (B, H, W, 3). They are painted one at a time to bound the memory.

        Raises:
            ValueError: The array has another type or shape.
        """
        return to_frames([self.paint_tensor(picture) for picture in torch.split(to_tensor(frames, self.device), 1)])

    @torch.inference_mode()
    def paint_tensor(self, pictures: Tensor) -> Tensor:
        """Return the paintings of pictures on the device, both uint8 (B, 3, H, W), painted one at a time."""
        return torch.cat([in_tiles(self.paint, each, REACH, self.pixels) for each in torch.split(pictures, 1)])

    def paint(self, pictures: Tensor) -> Tensor:
        """Return the paintings of pictures, both uint8 (B, 3, H, W) in 0..255, computed in one pass."""
        return rounded(255 * self.painter(pictures.float() / 255))
