"""Supplies pairs from a teacher whose painting of a part depends on the whole picture.

Instance normalisation is such a case: its statistics are those of the whole. So whole pictures are painted, once each,
and the pairs are crops from the same place of a picture and its painting.
"""

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.training.content import Content, vary
from framebrush_scorer.training.generator import generate
from framebrush_scorer.training.supply import Supply
from framebrush_scorer.training.teachers import Teacher

VARIANTS = 2
"""How often each frame is painted: as it is, and with other colours."""

MOST = 160
"""The most pictures that are painted. At 640x360, one takes 1.4 MB with its painting."""

GENERATED = 0.25
"""The part of the pictures that are generated: they have large plain areas, and colours that the frames lack."""

FLAT = 4.0
"""The standard deviation of the values, in 0..255, below which a frame counts as plain."""


class WholeSupply(Supply):
    """The pairs for the steps of a training with a teacher that needs whole pictures.

    Args:
        content: The frames to learn from.
        teacher: What makes the targets.
        seed: The seed of the random numbers.
        device: The device on which pictures are painted, and the pairs are kept.
        edge: The shorter edge in pixels to which frames are brought.

    Raises:
        ValueError: There are no frames, or all of them are plain.

    """

    def __init__(self, content: Content, teacher: Teacher, seed: int, device: torch.device, edge: int) -> None:
        super().__init__(content, teacher, seed, device)
        if not content.frames:
            raise ValueError("there are no pictures or films to learn on; name some as content")
        if all(frame.std() < FLAT for frame in content.frames):
            raise ValueError("the content has no variety: every frame is nearly of one colour")
        frames = content.frames[:: -(-len(content.frames) * VARIANTS // MOST)]
        self.frames, self.edge = frames, max(edge, content.size)
        self.scene = cache(self._paint)

    def _make(self, number: int) -> Tensor:
        """Return the pair of a number as uint8 (2, 3, size, size)."""
        rng, size = np.random.default_rng([self.seed, 0, number]), self.content.size
        drawn = len(self.frames) * VARIANTS
        scene = self.scene(int(rng.integers(drawn + round(drawn * GENERATED / (1 - GENERATED)))))
        top, left = (int(rng.integers(limit - size + 1)) for limit in scene.shape[2:])
        return scene[..., top : top + size, left : left + size].clone()

    def _paint(self, number: int) -> Tensor:
        """Return a picture and its painting, uint8 (2, 3, H, W)."""
        rng, count = np.random.default_rng([self.seed, 2, number]), len(self.frames)
        if number >= count * VARIANTS:
            picture = generate(rng, self.edge)
        else:
            picture = bring(self.frames[number % count], self.edge).astype(np.float32) / np.float32(255)
            picture = vary(rng, picture) if number >= count else picture
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(self.device)
        with torch.no_grad():
            return (torch.cat([x, self.teacher.target(x)]) * 255).round().clamp(0, 255).byte()


def bring(frame: RgbFrame, edge: int) -> RgbFrame:
    """Return a frame with its shorter edge brought to ``edge`` pixels."""
    height, width = frame.shape[:2]
    factor = edge / min(height, width)
    size = (max(edge, round(width * factor)), max(edge, round(height * factor)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC).astype(np.uint8)
