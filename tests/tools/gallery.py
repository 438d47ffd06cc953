"""Paints the picture of the README: a frame that no style was trained on, and what each shipped style makes of it.

Usage: gallery.py VIDEO OUTPUT.jpg, or gallery.py PHOTOGRAPH OUTPUT.jpg

With a further argument, services/common/src/framebrush/styles/previews, it also writes there the small pictures that
stand for the styles in the reports of runs.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from framebrush.styles import BUILT_IN, find_styles
from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.models import SHIPPED, load
from framebrush_scorer.pipeline import Controlled, Controls
from framebrush_scorer.quality import read_frames

SIZE = (640, 360)
"""At which the frame is painted."""

CUT = (slice(20, 272), slice(60, 508))
"""Rows and columns of a film that are shown, pixel by pixel."""

COLUMNS = 5

SMALL = (160, 90)
"""The size of a picture that stands for a style."""


def label(tile: RgbFrame, name: str) -> RgbFrame:
    """A copy with its name in the lower left corner."""
    tile = tile.copy()
    tile[-30:] //= 2
    cv2.putText(tile, name, (10, len(tile) - 10), cv2.FONT_HERSHEY_DUPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def fit(frame: RgbFrame) -> RgbFrame:
    """The middle of a frame at the size at which it is painted."""
    (width, height), (h, w) = SIZE, frame.shape[:2]
    edge = min(w / width, h / height)
    top, left = int(h - height * edge) // 2, int(w - width * edge) // 2
    part = frame[top : top + int(height * edge), left : left + int(width * edge)]
    return cv2.resize(part, SIZE, interpolation=cv2.INTER_AREA if edge > 1 else cv2.INTER_CUBIC).astype(np.uint8)


def main() -> None:
    """Write the gallery: the frame, the trained styles, the painters, and one of the controls."""
    # Training reads the first half of a film only.
    picture = cv2.imread(sys.argv[1], cv2.IMREAD_COLOR_RGB)
    frame = fit([*read_frames(Path(sys.argv[1]))][-1] if picture is None else picture.astype(np.uint8))
    trained = sorted(find_styles(SHIPPED))

    def tile(painted: RgbFrame, name: str) -> RgbFrame:
        part = painted[CUT]
        if picture is not None:  # all of it, made smaller
            part = cv2.resize(painted, part.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
        return label(part, name)

    painted = {name: load(name)(frame[None])[0] for name in [*trained, *BUILT_IN[1:]]}
    tiles = [tile(frame, "the original"), *(tile(each, name) for name, each in painted.items())]
    for name in ("starry", "vangogh"):
        own_colors = Controlled(load(name), Controls(keep_colors=True))
        tiles.append(tile(own_colors(frame[None])[0], f"{name}, keep_colors"))
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles) // COLUMNS * COLUMNS, COLUMNS)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(sys.argv[2], sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    for folder in sys.argv[3:]:
        for name, each in painted.items():
            small = cv2.cvtColor(cv2.resize(each, SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
            cv2.imwrite(f"{folder}/{name}.jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
