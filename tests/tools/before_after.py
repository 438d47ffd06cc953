"""Paints the moving picture of the README: a film, painted in one style after the other from left to right.

Usage: before_after.py FILM OUTPUT.webp [STYLE ...]
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from gallery import fit, label

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.models import load
from framebrush_scorer.quality import read_frames

STYLES = ("starry", "scream", "wave")

SHOWN = (480, 270)
"""The size of the moving picture."""

PER_STYLE, EVERY = 18, 2
"""Frames of the moving picture for each style, and which of the film's frames they are: every second."""

MILLISECONDS = 100
"""How long each frame is shown."""

QUALITY = 55
"""Of WebP, 1..100."""


def swept(before: RgbFrame, after: RgbFrame, part: float) -> RgbFrame:
    """One frame as it was, and painted in that part of its width which is on the left of a white line."""
    both, edge = before.copy(), round(part * before.shape[1])
    both[:, :edge] = after[:, :edge]
    both[:, max(0, edge - 1) : edge + 1] = 255
    return both


def main() -> None:
    """Write the moving picture."""
    styles = sys.argv[3:] or STYLES
    frames = [fit(frame) for frame in read_frames(Path(sys.argv[1]))][-PER_STYLE * EVERY * len(styles) :: EVERY]
    models, pictures = {style: load(style) for style in styles}, []
    for k, frame in enumerate(frames):
        style, step = styles[k // PER_STYLE], k % PER_STYLE
        # The last third of the time shows the whole painting.
        part = min(1.0, 1.5 * (step + 1) / PER_STYLE)
        shown = swept(frame, models[style](frame[None])[0], part)
        small = cv2.resize(shown, SHOWN, interpolation=cv2.INTER_AREA).astype(np.uint8)
        pictures.append(cv2.cvtColor(label(small, style), cv2.COLOR_RGB2BGR))
    animation = cv2.Animation()
    animation.frames, animation.durations = pictures, [MILLISECONDS] * len(pictures)
    cv2.imwriteanimation(sys.argv[2], animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
