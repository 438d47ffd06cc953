import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from framebrush_scorer.models import load
from framebrush_scorer.pipeline import Controlled, Controls
from framebrush_scorer.pipeline.controls import luma_bt709, paint_scaled, recolor

pixels = arrays(np.uint8, (4, 5, 3))


class Fake:
    """A model that shows what it was given."""

    name = "fake"

    def __init__(self, paint):
        self.paint, self.calls = paint, []

    def __call__(self, frames):
        self.calls.append(frames.shape)
        return self.paint(frames)


def negative(frames):
    return 255 - frames


@pytest.fixture
def frames():
    """Two smooth frames of 60x40 with a sharp vertical contour."""
    y, x = np.mgrid[0:40, 0:60]
    picture = np.stack([90 + y, 60 + x, 120 + (x + y) // 2], -1) + 60 * (x > 30)[..., None]
    return np.stack([picture, picture[:, ::-1]]).astype(np.uint8)


@pytest.mark.parametrize("controls", [Controls(0), Controls(0, keep_colors=True, scale=2)])
def test_strength_0_is_the_input_and_asks_nothing_of_the_model(frames, controls):
    model = Fake(negative)
    out = Controlled(model, controls)(frames)
    assert np.array_equal(out, frames)
    assert not np.shares_memory(out, frames)
    assert model.calls == []


def test_defaults_are_the_models_own_pixels(frames):
    controlled = Controlled(Fake(negative), Controls())
    assert np.array_equal(controlled(frames), 255 - frames)
    assert controlled.name == "fake"


@pytest.mark.parametrize(("name", "has"), [("starry", True), ("wave", False)])
def test_a_run_chooses_for_itself_whether_a_network_has_strokes(frames, name, has):
    model = load(name, device="cpu")
    plain, laid = (Controlled(model, Controls(strokes=strokes))(frames) for strokes in (False, True))
    assert not np.array_equal(plain, laid)
    assert np.array_equal(Controlled(model, Controls())(frames), laid if has else plain)
    assert np.array_equal(model(frames), laid if has else plain), "other runs have the model as it is"


def test_painters_have_strokes_of_their_own(frames):
    model = load("vangogh", device="cpu")
    assert np.array_equal(Controlled(model, Controls(strokes=False))(frames), model(frames))


@given(strength=st.floats(0, 1))
def test_strength_is_continuous_between_the_two(strength):
    frames = np.array([[[[0, 100, 200]]]], np.uint8)
    out = Controlled(Fake(negative), Controls(strength))(frames).astype(float)
    assert np.abs(out - (frames + strength * (255.0 - 2.0 * frames))).max() <= 0.51


@given(painted=pixels, frame=pixels)
def test_recolored_pictures_have_the_luma_of_the_painting_and_the_hue_of_the_frame(painted, frame):
    out = recolor(painted, frame)
    assert np.abs(luma_bt709(out) - luma_bt709(painted)).max() < 1
    for new, old in zip(out.reshape(-1, 3), frame.reshape(-1, 3), strict=True):
        chroma_new, chroma_old = new - luma_bt709(new[None, None])[0, 0], old - luma_bt709(old[None, None])[0, 0]
        shrink = np.dot(chroma_new, chroma_old) / max(np.dot(chroma_old, chroma_old), 1e-6)
        assert -0.1 < shrink < 1.2 or np.abs(chroma_old).max() < 10
        assert np.abs(chroma_new - shrink * chroma_old).max() < 1.5


def test_keeping_colors_keeps_them():
    red, grey = np.full((1, 1, 3), (200, 40, 40), np.uint8), np.full((1, 1, 3), 90, np.uint8)
    hue = colorsys.rgb_to_hsv(*(recolor(grey, red)[0, 0] / 255))[0]
    assert min(hue, 1 - hue) < 0.01
    assert np.array_equal(recolor(grey, grey), grey)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2, 3.7, 4])
def test_the_model_paints_at_the_other_scale(frames, scale):
    model = Fake(negative)
    out = paint_scaled(model, frames, scale)
    assert out.shape == frames.shape
    ((count, height, width, _),) = model.calls
    assert (count, height, width) == (2, max(8, round(40 / scale)), max(8, round(60 / scale)))


@pytest.mark.parametrize("scale", [2, 4])
def test_detail_that_the_painting_keeps_comes_back(frames, scale):
    """A contour is as sharp as in the frame, though it was painted at a fraction of the resolution."""
    for paint in (np.copy, negative):
        out = paint_scaled(Fake(paint), frames, scale).astype(float)
        wanted = paint(frames).astype(float)
        steps = [np.abs(np.diff(picture[0, 20], axis=0)).max() for picture in (out, wanted)]
        assert steps[0] > 0.6 * steps[1]
        assert np.abs(out - wanted).mean() < 3


def test_detail_that_the_painting_drops_stays_away():
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    out = paint_scaled(Fake(lambda frames: np.full_like(frames, 77)), noise, 2)
    assert np.array_equal(out, np.full_like(noise, 77))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (17, 9)])
@pytest.mark.parametrize("controls", [Controls(scale=2), Controls(0.5, True, 0.5)])
def test_any_size_and_each_frame_by_itself(size, controls):
    frames = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    controlled = Controlled(load("ink", device="cpu"), controls)
    out = controlled(frames)
    assert (out.shape, out.dtype) == (frames.shape, np.uint8)
    assert np.abs(out[1:].astype(int) - controlled(frames[1:])).max() <= 1
