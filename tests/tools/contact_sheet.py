"""Make one picture of two videos: frames of the first in the upper row, the same frames of the second below."""

import argparse
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

COLUMNS = 4
WIDTH = 480
"""Pixels of one frame."""


def pick(path: Path, indices: list[int]) -> list[NDArray[np.uint8]]:
    """The frames with these indices as uint8 [H, W, 3] BGR."""
    found = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in indices:
                found.append(frame.to_ndarray(format="bgr24"))
            if index >= indices[-1]:
                break
    return found


def count(path: Path) -> int:
    """Number of video frames."""
    with av.open(str(path)) as container:
        return sum(packet.pts is not None for packet in container.demux(video=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("sheet", type=Path, help="the picture to write, PNG or JPEG by its name")
    options = parser.parse_args()

    frames = count(options.before)
    indices = sorted({round((column + 0.5) * frames / COLUMNS - 0.5) for column in range(COLUMNS)})
    rows = []
    for path in (options.before, options.after):
        pictures = pick(path, indices)
        height = round(pictures[0].shape[0] * WIDTH / pictures[0].shape[1])
        rows.append(np.hstack([cv2.resize(p, (WIDTH, height), interpolation=cv2.INTER_AREA) for p in pictures]))
    if not cv2.imwrite(str(options.sheet), np.vstack(rows)):
        raise SystemExit(f"{options.sheet} cannot be written")


if __name__ == "__main__":
    main()
