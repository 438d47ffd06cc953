"""A style as a function of frames, for programs that have frames in memory."""

from typing import TypeVar

import numpy as np
import torch

from framebrush_scorer.frames import BadFrame, RgbFrames
from framebrush_scorer.models import FrameModel
from framebrush_scorer.pipeline.controls import Controlled, Controls
from framebrush_scorer.pipeline.scoring import PART_PIXELS, FrameFailed, score
from framebrush_scorer.pipeline.smoothing import smooth

Frames = TypeVar("Frames", RgbFrames, torch.Tensor)


class Style:
    """A style with its controls. One thread may call it at a time."""

    def __init__(self, model: FrameModel, controls: Controls, smoothing: float = 0.0) -> None:
        """Put a style together.

        Args:
            model: What paints.
            controls: Strength, colours, and size of the brush.
            smoothing: How much each frame is averaged with its neighbours, along the motion, in 0..1.

        Raises:
            ValueError: The smoothing is out of its range.
        """
        if not 0 <= smoothing <= 1:
            raise ValueError(f"smoothing is {smoothing}, must be in 0..1")
        self._model, self._smoothing, self.name = Controlled(model, controls), smoothing, model.name

    def __repr__(self) -> str:
        return f"<style {self.name}>"

    def __call__(self, frames: Frames) -> Frames:
        """Return the paintings of frames: what a scorer makes of a batch of these frames, bit by bit.

        Args:
            frames: RGB pictures, uint8 (N, H, W, 3) in 0..255, any N, H, W >= 1: a NumPy array, or a torch tensor on
                any device. They stay as they are. With smoothing they are consecutive frames of a film, and the first
                and the last one are not averaged.

        Returns:
            As many pictures of the same size, of the same kind and on the same device. A tensor of a GPU goes through
            the memory of the machine.

        Raises:
            ValueError: The frames have another shape or type.
            FrameFailed: The model raised an error over a frame, which the text names.
            OutOfMemory: A single frame does not fit into the memory.
        """
        if isinstance(frames, torch.Tensor):
            return torch.from_numpy(self._paint(frames.detach().cpu().numpy())).to(frames.device)
        return self._paint(frames)

    def _paint(self, frames: RgbFrames) -> RgbFrames:
        shape: tuple[int, ...] = getattr(frames, "shape", ())
        kind = getattr(frames, "dtype", type(frames).__name__)
        if kind != np.uint8 or len(shape) != 4 or shape[3] != 3 or not frames.size:
            raise ValueError(f"expected uint8 RGB frames (N, H, W, 3) with N, H, W >= 1, got {kind} {shape}")
        part = max(1, PART_PIXELS // (shape[1] * shape[2]))
        scored = [
            each for first in range(0, shape[0], part) for each in score(self._model, frames[first : first + part])
        ]
        if self._smoothing and self._model.controls.strength:
            scored = smooth(list(frames), scored, self._smoothing)
        painted = []
        for number, each in enumerate(scored):
            if isinstance(each, BadFrame):
                raise FrameFailed(f"frame {number}: {each.reason}")
            painted.append(each)
        return np.stack(painted)
