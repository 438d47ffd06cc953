"""Implements what a run may ask of any model: strength of the painting, whose colours it has, size of the brush."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.frames import RgbFrame, RgbFrames
from framebrush_scorer.models import FrameModel

Plane = npt.NDArray[np.float32]
FloatImage = npt.NDArray[np.float32]

LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
"""The weights of red, green and blue in the luma of ITU-R BT.709, (1, 3)."""

SMALLEST = 8
"""The least edge in pixels of the frames that a model is given when it paints at another scale."""


@dataclass(frozen=True)
class Controls:
    """The part of a run's :class:`framebrush.contracts.Options` that changes what a model makes of frames."""

    strength: float = 1.0
    """The part of the painting in the result, in 0..1: 0 gives the frames, and 1 the painting."""
    keep_colors: bool = False
    """Whether the result has the painting's luma and the frames' chroma."""
    scale: float = 1.0
    """The size of the brush: with 2 the model paints at half of the resolution, and detail that the painting keeps is
    brought back."""


class Controlled:
    """A frame model that applies the controls of a run to another one."""

    def __init__(self, model: FrameModel, controls: Controls) -> None:
        self.model, self.controls, self.name = model, controls, model.name

    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return the results for frames, both uint8 (B, H, W, 3), for any B, H, W >= 1.

        With strength 0 the results are copies of the frames, and the model is not asked.
        """
        controls = self.controls
        if controls.strength == 0:
            return frames.copy()
        painted = self.model(frames) if controls.scale == 1 else paint_scaled(self.model, frames, controls.scale)
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


def paint_scaled(model: FrameModel, frames: RgbFrames, scale: float) -> RgbFrames:
    """Return the paintings of frames (B, H, W, 3) with a brush that is ``scale`` times as large.

    The model paints at another resolution, and the paintings are brought back to the resolution of the frames.

    Fine detail comes back by the guided upsampling of He, Sun 2015, "Fast Guided Filter": where the painting follows
    the luma of the frame, at a contour, it follows it at the full resolution, too; where it is flat it stays flat.
    """
    height, width = frames.shape[1:3]
    size = (max(SMALLEST, round(width / scale)), max(SMALLEST, round(height / scale)))
    small = np.stack([to_bytes(resize(frame, size)) for frame in frames])
    painted = model(small)
    results = []
    for frame, little, painting in zip(frames, small, painted, strict=True):
        result = resize(painting, (width, height))
        if scale > 1:
            gain = resize(guidance(luma_bt709(little)[..., 0], painting.astype(np.float32)), (width, height))
            guide = luma_bt709(frame)[..., 0]
            detail = guide - resize(luma_bt709(little)[..., 0], (width, height))
            result = result + gain * detail[..., None]
        results.append(to_bytes(result))
    return np.stack(results)


def guidance(guide: Plane, picture: FloatImage, radius: int = 2, epsilon: float = 60.0) -> FloatImage:
    """Return how strongly each channel (H, W, 3) follows the guide (H, W) around a pixel: covariance over variance.

    ``epsilon``, in squares of 0..255, is the variance below which the guide counts as flat.
    """
    box = (2 * radius + 1, 2 * radius + 1)

    def mean(x: Plane) -> Plane:
        return np.asarray(cv2.boxFilter(x, -1, box, borderType=cv2.BORDER_REFLECT), np.float32)

    average = mean(guide)
    variance = mean(guide * guide) - average * average
    covariance = mean((guide[..., None] * picture).astype(np.float32)) - average[..., None] * mean(picture)
    return mean((covariance / (variance + epsilon)[..., None]).astype(np.float32))


def luma_bt709(picture: RgbFrame) -> Plane:
    """Return the luma of an RGB picture (H, W, 3) by ITU-R BT.709, as float32 (H, W, 1) in 0..255."""
    return np.asarray(cv2.transform(picture.astype(np.float32), LUMA), np.float32)[..., None]


def resize(picture: RgbFrame | FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return a picture (H, W, C) at another (width, height), as float32. Cubic interpolation may overshoot 0..255."""
    smaller = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(picture.astype(np.float32), size, interpolation=method).astype(np.float32)


def to_bytes(picture: FloatImage) -> RgbFrame:
    """Return a picture rounded and clamped to 0..255, as uint8."""
    return np.rint(picture).clip(0, 255).astype(np.uint8)
