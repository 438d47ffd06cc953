"""Implements what a run may ask of any model: strength of the painting, whose colours it has, and its brush."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import RgbFrame, RgbFrames
from framebrush_scorer.models import FrameModel
from framebrush_scorer.pipeline.brush import brush_size, paint_scaled

Plane = npt.NDArray[np.float32]
FloatImage = npt.NDArray[np.float32]

LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
"""The weights of red, green and blue in the luma of ITU-R BT.709, (1, 3)."""


@dataclass(frozen=True)
class Controls:
    """The part of a run's :class:`framebrush.contracts.Options` that changes what a model makes of frames."""

    strength: float = 1.0
    """The part of the painting in the result, in 0..1: 0 gives the frames, and 1 the painting."""
    keep_colors: bool = False
    """Whether the result has the painting's luma and the frames' chroma."""
    scale: float = 1.0
    """The size of the brush, relative to that which the model has by itself, in 0.25..4."""
    strokes: bool | None = None
    """Whether paintings are laid in brush strokes, if the model leaves the choice; None means as the model has it."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is out of its range.
        """
        for name, least, most in (("strength", 0, 1), ("scale", 0.25, 4)):
            if not least <= (value := getattr(self, name)) <= most:
                raise ValueError(f"{name} is {value}, must be in {least}..{most}")


class Controlled:
    """A frame model that applies the controls of a run to another one."""

    def __init__(self, model: FrameModel, controls: Controls) -> None:
        if controls.strokes is not None and (choose := getattr(model, "with_strokes", None)):
            model = choose(controls.strokes)
        self.model, self.controls, self.name = model, controls, model.name

    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return the results for frames, both uint8 (B, H, W, 3), for any B, H, W >= 1.

        With strength 0 the results are copies of the frames, and the model is not asked.
        """
        controls = self.controls
        if controls.strength == 0:
            return frames.copy()
        brush = brush_size(self.model, frames.shape[1:3], controls.scale)
        painted = self.model(frames) if brush == 1 else paint_scaled(self.model, frames, brush)
        if controls.keep_colors:
            painted = np.stack([recolor(*pair) for pair in zip(painted, frames, strict=True)])
        if controls.strength < 1:
            mixed = [mix(*pair, controls.strength) for pair in zip(frames, painted, strict=True)]
            painted = np.stack(mixed)
        return painted


def mix(frame: RgbFrame, painted: RgbFrame, strength: float) -> RgbFrame:
    """Return a cross-fade of two pictures (H, W, 3), computed with gamma-encoded values, as a video editor does."""
    return cv2.addWeighted(frame, 1 - strength, painted, strength, 0).astype(np.uint8)


def recolor(painted: RgbFrame, frame: RgbFrame) -> RgbFrame:
    """Return a picture (H, W, 3) with the luma of a painting and the chroma of a frame.

    The colour differences R'-Y', G'-Y', B'-Y' of BT.709 are the frame's; where they do not fit at the painting's luma
    they shrink, which keeps hue and luma. This is the colour transfer of Gatys et al. 2016, "Preserving Color in
    Neural Artistic Style Transfer", section 3, for luminance only.
    """
    light = luma_bt709(painted)
    chroma = frame.astype(np.float32) - luma_bt709(frame)
    fits = np.minimum(
        (255 - light) / np.maximum(chroma.max(-1, keepdims=True), 1e-3),
        light / np.maximum(-chroma.min(-1, keepdims=True), 1e-3),
    )
    return to_bytes(light + chroma * np.minimum(fits, 1))


def luma_bt709(picture: RgbFrame) -> Plane:
    """Return the luma of an RGB picture (H, W, 3) by ITU-R BT.709, as float32 (H, W, 1) in 0..255."""
    return np.asarray(cv2.transform(picture.astype(np.float32), LUMA), np.float32)[..., None]


def to_bytes(picture: FloatImage) -> RgbFrame:
    """Return a picture rounded and clamped to 0..255, as uint8."""
    return np.rint(picture).clip(0, 255).astype(np.uint8)
