"""What a frame model is."""

from collections.abc import Callable
from typing import Protocol

from framebrush_scorer.frames import RgbFrames


class FrameModel(Protocol):
    """Turns pictures into pictures of the same size. One thread calls it at a time.

    A model may have an attribute ``natural_edge``, the shorter edge in pixels of the frames for which its strokes were
    made: larger frames then come at that resolution, and are enlarged again. It may have a ``device``, a
    :class:`torch.device`, on which that is done, and a method ``paint_tensor``, which does for pictures that are on
    this device, uint8 tensors (B, 3, H, W), what a call does for frames: then nothing leaves the device in between. It
    may have a method ``with_strokes``, which takes a bool and returns the model with or without brush strokes.
    """

    @property
    def name(self) -> str:
        """The name under which the model was loaded."""

    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return one new frame for each frame, in the same order, as uint8 (B, H, W, 3) in 0..255.

        A frame's result does not depend on the other frames of the batch.

        Args:
            frames: RGB pictures, uint8 (B, H, W, 3) in 0..255, with any B, H, W >= 1. They must not be changed.
        """


Factory = Callable[[str], FrameModel]
"""Makes a model for a device, which is called ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
