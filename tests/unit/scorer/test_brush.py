"""The brush belongs to the picture, not to its pixels."""

import cv2
import numpy as np
import pytest
import torch

from framebrush.media import psnr
from framebrush_scorer.models import load, load_picture
from framebrush_scorer.pipeline.brush import brush_size
from framebrush_scorer.pipeline.controls import Controlled, Controls

VECTOR = tuple(np.random.default_rng(3).normal(0, 0.3, 100).tolist())


class Plain:
    """A model without a natural size."""

    name = "plain"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return frames


class Natural(Plain):
    natural_edge = 100


def scene(width: int, height: int) -> np.ndarray:
    """The same soft shapes and contours at any size, RGB (H, W, 3)."""
    generator = torch.Generator().manual_seed(1)
    coarse = 255 * torch.rand(1, 3, 9, 16, generator=generator)
    soft = torch.nn.functional.interpolate(coarse, (1080, 1920), mode="bicubic")[0].permute(1, 2, 0).numpy()
    soft = np.ascontiguousarray(soft.clip(0, 255).astype(np.uint8))
    for k in range(12):
        cv2.circle(soft, (90 + 150 * k, 200 + 60 * k), 120, (20 * k, 250 - 20 * k, 90), 14, cv2.LINE_AA)
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA if width < 1920 else cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("size", "scale", "brush"),
    [
        ((100, 300), 1, 1),
        ((200, 100), 1, 1),
        ((400, 300), 1, 3),
        ((300, 400), 2, 6),
        ((50, 60), 1, 1),
        ((50, 60), 2, 2),
    ],
)
def test_strokes_grow_with_the_frame_and_do_not_shrink(size: tuple[int, int], scale: float, brush: float) -> None:
    assert brush_size(Natural(), size, scale) == brush
    assert brush_size(Plain(), size, scale) == scale


@pytest.mark.parametrize("name", ["gouache", "oil", "picture", "starry"])
def test_a_film_at_360p_and_at_2160p_looks_the_same_from_the_same_chair(name: str) -> None:
    model = load_picture(VECTOR, device="cpu") if name == "picture" else load(name, device="cpu")
    small, large = scene(640, 360), scene(3840, 2160)

    def seen(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA).astype(np.float32)

    paint = Controlled(model, Controls())
    at_360p, at_2160p = (seen(paint(frame[None])[0]) for frame in (small, large))
    assert psnr(at_360p, at_2160p) > 40  # 48 to 53 dB; with strokes of a size in pixels, 21 to 26 dB
