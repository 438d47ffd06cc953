"""Compares two videos, frame by frame: a source, and what a style made of it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from framebrush.media import psnr, ssim
from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.motion import motion
from framebrush_scorer.quality.metrics import detail, style_strength, warp_error

LEAST_KNOWN = 0.1
"""The part of a frame whose motion must be known. If less is known there is a cut, which does not count as flicker."""


MOST_PSNR = 100.0
"""The PSNR in dB that equal frames count with: means are taken, and JSON has no infinity."""


class NotComparable(ValueError):
    """A video cannot be read, or the two videos differ in size or number of frames."""


class Series(BaseModel):
    """Figures over time. Those of pairs of frames are between a frame and the next, and None at cuts."""

    model_config = ConfigDict(frozen=True)

    warp_error: tuple[float | None, ...]
    source_warp_error: tuple[float | None, ...]
    style_strength: tuple[float, ...]
    detail: tuple[float, ...]
    psnr: tuple[float, ...]
    ssim: tuple[float, ...]


class Quality(BaseModel):
    """The means of all figures over a whole video, and the series of which they are the means."""

    model_config = ConfigDict(frozen=True)

    source: str
    styled: str
    width: int
    height: int
    frames: int
    cuts: int
    """The number of pairs of successive frames between which the motion is unknown."""
    warp_error: float
    """The styled video's E_warp: the mean squared difference of values in 0..1 along the source's motion."""
    source_warp_error: float
    """The source's own E_warp, which shows what errors of the motion, noise and changes of light amount to."""
    style_strength: float
    """How far the painting is from its source, in 0..1; see :func:`framebrush_scorer.quality.style_strength`."""
    detail: float
    """The energy of fine detail, as a multiple of the source's."""
    psnr: float
    """The peak signal-to-noise ratio between source and styled video in dB, at most :data:`MOST_PSNR`."""
    ssim: float
    """The structural similarity between source and styled video, 1 for equal ones."""
    series: Series


def read_frames(path: Path) -> Iterator[RgbFrame]:
    """Yield the frames of a video, RGB uint8 (H, W, 3).

    Raises:
        NotComparable: The file has no frame that can be read.
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
    """Yield the frames of the source and of the styled video in pairs, RGB uint8 (H, W, 3).

    Raises:
        NotComparable: A video cannot be read, or they differ in size or number of frames.
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
    """Return how a styled video compares to its source. The memory does not depend on their length.

    Raises:
        NotComparable: See :func:`pairs`.
    """
    error, source_error = list[float | None](), list[float | None]()
    strengths, details, psnrs, ssims = (list[float]() for _ in range(4))
    before: tuple[RgbFrame, RgbFrame] | None = None
    for a, b in pairs(source, styled):
        strengths.append(style_strength(a, b))
        details.append(detail(a, b))
        x, y = (cv2.cvtColor(frame, cv2.COLOR_RGB2BGR).astype(np.uint8) for frame in (a, b))
        psnrs.append(min(MOST_PSNR, psnr(x, y)))
        ssims.append(ssim(x, y))
        if before is not None:
            field, known = motion(before[0], a)
            usable = known.mean() >= LEAST_KNOWN
            source_error.append(warp_error(before[0], a, field, known) if usable else None)
            error.append(warp_error(before[1], b, field, known) if usable else None)
        before = a, b
    assert before is not None  # noqa: S101 - a video without frames was refused
    series = Series(
        warp_error=tuple(error),
        source_warp_error=tuple(source_error),
        style_strength=tuple(strengths),
        detail=tuple(details),
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
        frames=len(strengths),
        cuts=error.count(None),
        series=series,
        **means,
    )


def mean(values: tuple[float | None, ...]) -> float:
    """Return the mean of the values that are not None, and 0 if there is none."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else 0.0
