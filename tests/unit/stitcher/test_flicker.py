"""Flicker, and what is a change of scenes and what is not."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from framebrush_stitcher.report.flicker import flicker


def scene(seed: int) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (9, 16)).astype(np.uint8)
    return np.asarray(cv2.resize(noise, (200, 90), interpolation=cv2.INTER_CUBIC), np.uint8)


def shot(seed: int, count: int) -> list[npt.NDArray[np.uint8]]:
    """Frames of a camera that pans over a scene."""
    wide = scene(seed)
    return [np.ascontiguousarray(wide[:, number : number + 160]) for number in range(count)]


def lit(image: npt.NDArray[np.uint8], gain: float, offset: float) -> npt.NDArray[np.uint8]:
    return np.clip(image * gain + offset, 0, 255).astype(np.uint8)


def changes(frames: list[npt.NDArray[np.uint8]]) -> dict[int, str]:
    steps = flicker(frames, frames)
    assert all(step is not None and (step.change is not None) == (step.before is None) for step in steps)
    return {number: step.change for number, step in enumerate(steps, 1) if step and step.change}


def test_flicker_is_what_motion_does_not_explain() -> None:
    frames = shot(1, 2)
    noise = np.random.default_rng(1).integers(-20, 21, frames[1].shape)
    worse = [frames[0], np.clip(frames[1].astype(int) + noise, 0, 255).astype(np.uint8)]
    (same,), (more,) = flicker(frames, frames), flicker(frames, worse)
    assert same and more and same.after is not None and more.after is not None
    assert same.before == same.after
    assert same.after < 3
    assert more.after > same.after + 5


@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (5, 6), (7, 8)])
def test_a_change_of_scenes_is_marked(seeds: tuple[int, int]) -> None:
    assert changes(shot(seeds[0], 8) + shot(seeds[1], 8)) == {8: "cut"}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_white_flash_is_no_change_of_scenes(length: int) -> None:
    frames = shot(1, 16)
    frames[6 : 6 + length] = [np.full_like(frames[0], 255)] * length
    assert changes(frames) == {6: "flash", 6 + length: "flash"}


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 100), (0.4, 0), (1.6, 40)])
@pytest.mark.parametrize("length", [1, 5, 10])
def test_other_light_is_no_change_of_scenes(gain: float, offset: float, length: int) -> None:
    frames = shot(1, 16)
    frames[6 : 6 + length] = [lit(image, gain, offset) for image in frames[6 : 6 + length]]
    assert set(changes(frames).values()) == {"flash"}


def test_a_change_of_scenes_behind_a_flash_is_marked() -> None:
    white = [np.full((90, 160), 255, np.uint8)]
    assert "cut" in changes(shot(1, 8) + white + shot(2, 8)).values()


def test_what_cannot_be_told_is_not_marked() -> None:
    steps = flicker(shot(1, 8) + shot(2, 2), shot(1, 8) + shot(2, 2))
    assert steps[7] is None
