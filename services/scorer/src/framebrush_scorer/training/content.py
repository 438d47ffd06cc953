"""Supplies what a network sees while it learns: crops of the user's pictures and videos, and generated pictures."""

from pathlib import Path

import cv2
import numpy as np

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.training.generator import UnitImage, generate


def read_frames(paths: list[Path], per_video: int = 24) -> tuple[list[RgbFrame], list[RgbFrame]]:
    """Read pictures and videos, and return the frames to learn from and the frames that are kept apart for the preview.

    A video gives ``per_video`` frames spread over its first half to learn from; its last frame is kept apart. Of
    pictures, every tenth is kept apart.

    Raises:
        ValueError: A file is neither a picture nor a video that OpenCV can read.
    """
    learn: list[RgbFrame] = []
    keep: list[RgbFrame] = []
    for number, path in enumerate(paths, 1):
        if (picture := cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)) is not None:
            (learn if number % 10 else keep).append(picture.astype(np.uint8))
            continue
        frames = read_video(path)
        if not frames:
            raise ValueError(f"{path} is neither a picture nor a video that OpenCV can read")
        half = max(1, len(frames) // 2)
        learn += [frames[k] for k in sorted({*np.linspace(0, half - 1, per_video).round().astype(int).tolist()})]
        keep.append(frames[-1])
    return learn, keep


def files(paths: list[Path]) -> list[Path]:
    """Return the files, with each folder replaced by the files in it, sorted by name and without hidden ones."""
    found = [sorted(path.iterdir()) if path.is_dir() else [path] for path in paths]
    return [path for group in found for path in group if path in paths or not path.name.startswith(".")]


def read_video(path: Path) -> list[RgbFrame]:
    """Return all frames of a short video, RGB uint8 (H, W, 3), or no frame if it cannot be read."""
    capture, frames = cv2.VideoCapture(str(path)), []
    try:
        while (read := capture.read())[0]:
            frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB).astype(np.uint8))
    finally:
        capture.release()
    return frames


class Content:
    """An endless supply of pictures, float32 (size, size, 3) in 0..1.

    Args:
        frames: RGB frames uint8 (H, W, 3) of any size, from which crops are taken.
        size: The edge of the pictures in pixels.
        generated: The part of the pictures that are generated. Without frames, all are.

    """

    def __init__(self, frames: list[RgbFrame], size: int, generated: float = 0.35) -> None:
        self.frames, self.size, self.generated = frames, size, generated if frames else 1.0

    def draw(self, rng: np.random.Generator) -> UnitImage:
        """Return a random picture."""
        if rng.random() < self.generated:
            return generate(rng, self.size)
        return vary(rng, crop(rng, self.frames[rng.integers(len(self.frames))], self.size))

    def samples(self, count: int) -> list[RgbFrame]:
        """Return ``count`` pictures as frames, uint8 (size, size, 3), which are the same every time."""
        return [(self.draw(np.random.default_rng(k)) * 255).astype(np.uint8) for k in range(count)]


def crop(rng: np.random.Generator, frame: RgbFrame, size: int) -> UnitImage:
    """Return a random part of a frame at a random scale, (size, size, 3) in 0..1, flipped in half of the cases."""
    edge = min(int(size * np.exp(rng.uniform(np.log(0.8), np.log(2.6)))), *frame.shape[:2])
    top, left = (int(rng.integers(limit - edge + 1)) for limit in frame.shape[:2])
    part = frame[top : top + edge, left : left + edge]
    method = cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC
    part = cv2.resize(part, (size, size), interpolation=method).astype(np.uint8)
    return np.asarray((part[:, ::-1] if rng.random() < 0.5 else part) / 255, np.float32)


def vary(rng: np.random.Generator, picture: UnitImage) -> UnitImage:
    """Return a picture with random exposure, contrast and saturation, and sometimes with its channels exchanged."""
    if rng.random() < 0.3:
        picture = picture[..., rng.permutation(3)]
    grey = picture.mean(-1, keepdims=True)
    picture = grey + (picture - grey) * rng.uniform(0.6, 1.5)
    picture = np.clip(picture, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5)) * rng.uniform(0.6, 1.15)
    return np.clip(picture * rng.uniform(0.9, 1.1, 3), 0, 1).astype(np.float32)
