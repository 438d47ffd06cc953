"""Two videos, frame by frame: a source and what a style made of it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from framebrush.media import psnr, ssim
from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.motion import motion
from framebrush_scorer.quality import metrics

LEAST_KNOWN = 0.1
"""Part of a frame whose motion must be known: less is a cut, and does not count as flicker."""


MOST_PSNR = 100.0
"""Decibels that equal frames count as: means are taken, and JSON has no infinity."""


class NotComparable(ValueError):
    """A video cannot be read, or the two do not belong together."""


class Series(BaseModel):
    """Figures over time; those of pairs are between a frame and the next, null at cuts."""

    model_config = ConfigDict(frozen=True)

    warp_error: tuple[float | None, ...]
    source_warp_error: tuple[float | None, ...]
    style_strength: tuple[float, ...]
    detail: tuple[float, ...]
    psnr: tuple[float, ...]
    ssim: tuple[float, ...]


class Quality(BaseModel):
    """Means over a whole video, and the series they are of."""

    model_config = ConfigDict(frozen=True)

    source: str
    styled: str
    width: int
    height: int
    frames: int
    cuts: int
    """Pairs of frames between which the motion is unknown."""
    warp_error: float
    """E_warp of the styled video: mean squared difference along the source's motion, of values in 0..1."""
    source_warp_error: float
    """The same of the source: what errors of the motion, noise and changes of light amount to."""
    style_strength: float
    """Root mean square in 0..1; see :func:`framebrush_scorer.quality.metrics.style_strength`."""
    detail: float
    """Energy of fine detail, as a multiple of the source's."""
    psnr: float
    """Of the styled video to the source, in dB."""
    ssim: float
    series: Series


def read_frames(path: Path) -> Iterator[RgbFrame]:
    """Yield the frames of a video, RGB (H, W, 3).

    Raises:
        NotComparable: It has none that can be read.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        count = 0
        while (found := capture.read())[0]:
            count += 1
            yield cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB).astype(np.uint8)
        if not count:
            raise NotComparable(f"{path} is no video that can be read")
    finally:
        capture.release()


def pairs(source: Path, styled: Path) -> Iterator[tuple[RgbFrame, RgbFrame]]:
    """Yield the frames of both videos side by side.

    Raises:
        NotComparable: One cannot be read, or they differ in size or number of frames.
    """
    first, second = read_frames(source), read_frames(styled)
    for number, a in enumerate(first):
        if (b := next(second, None)) is None:
            raise NotComparable(f"{styled} has only {number} frames, {source} has more")
        if a.shape != b.shape:
            sizes = [f"{frame.shape[1]}x{frame.shape[0]}" for frame in (a, b)]
            raise NotComparable(f"{source} is {sizes[0]}, {styled} is {sizes[1]}: give videos of the same size")
        yield a, b
    if next(second, None) is not None:
        raise NotComparable(f"{styled} has more frames than {source}, which has {number + 1}")


def compare(source: Path, styled: Path) -> Quality:
    """Measure a styled video against its source; memory does not depend on their length.

    Raises:
        NotComparable: See :func:`pairs`.
    """
    error, source_error = list[float | None](), list[float | None]()
    strength, detail, psnrs, ssims = (list[float]() for _ in range(4))
    before: tuple[RgbFrame, RgbFrame] | None = None
    for a, b in pairs(source, styled):
        strength.append(metrics.style_strength(a, b))
        detail.append(metrics.detail(a, b))
        x, y = (cv2.cvtColor(frame, cv2.COLOR_RGB2BGR).astype(np.uint8) for frame in (a, b))
        psnrs.append(min(MOST_PSNR, psnr(x, y)))
        ssims.append(ssim(x, y))
        if before is not None:
            field, known = motion(before[0], a)
            usable = known.mean() >= LEAST_KNOWN
            source_error.append(metrics.warp_error(before[0], a, field, known) if usable else None)
            error.append(metrics.warp_error(before[1], b, field, known) if usable else None)
        before = a, b
    assert before is not None  # noqa: S101 - a video without frames was refused
    series = Series(
        warp_error=tuple(error),
        source_warp_error=tuple(source_error),
        style_strength=tuple(strength),
        detail=tuple(detail),
        psnr=tuple(psnrs),
        ssim=tuple(ssims),
    )
    means = {name: mean(values) for name, values in series}
    height, width = before[0].shape[:2]
    return Quality(
        source=source.name,
        styled=styled.name,
        width=width,
        height=height,
        frames=len(strength),
        cuts=error.count(None),
        series=series,
        **means,
    )


def mean(values: tuple[float | None, ...]) -> float:
    """Return the mean of what is there, 0 of nothing."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else 0.0
