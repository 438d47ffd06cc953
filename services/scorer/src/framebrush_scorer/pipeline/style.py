"""A style as a function of frames, for programs that have frames in memory."""

from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from framebrush_scorer.frames import BadFrame, RgbFrames
from framebrush_scorer.models import FrameModel, load
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


def load_style(
    name: str,
    *,
    strength: float = 1.0,
    keep_colors: bool = False,
    scale: float = 1.0,
    smoothing: float = 0.0,
    styles: str | Path | None = None,
    device: str = "auto",
    memory: int | None = None,
) -> Style:
    """Load a style, to be called with frames: ``load("starry")(frames)``, see :meth:`Style.__call__`.

    Args:
        name: The name of a style, as ``framebrush styles list`` tells them.
        strength: How much of the painting, in 0..1: 0 gives the frames, and 1 the painting.
        keep_colors: Whether the paintings have the frames' own colours.
        scale: The size of the brush, 0.25 to 4, relative to that which the style has by itself.
        smoothing: How much each frame is averaged with its neighbours in the array, along the motion, in 0..1.
        styles: A folder of further styles, ``.safetensors`` and ``.pth`` files, each called like its file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU where there is one.
        memory: The megabytes (10^6 bytes) that the model may take beside the frames, which are painted in tiles if
            they need more; by default a quarter of what the container, machine or card has.

    Raises:
        UnknownModel: There is no such style; the text says which names are near.
        InvalidWeights: The file of the style is damaged.
        ValueError: A number is out of its range, or there is no such device.
    """
    controls = Controls(strength, keep_colors, scale)
    model = load(name, Path(styles) if styles else None, device, memory and memory * 10**6)
    return Style(model, controls, smoothing)
