import cv2
import numpy as np
import pytest

from framebrush.media import psnr
from framebrush_scorer.frames import BadFrame
from framebrush_scorer.motion import motion
from framebrush_scorer.pipeline import smooth
from framebrush_scorer.quality import detail, warp_error

HEIGHT, WIDTH, COUNT = 64, 80, 9


@pytest.fixture(scope="module")
def film():
    """What a camera sees that moves over a textured picture."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.random((n, n, 3)).astype(np.float32), (300, 300)) for n in (6, 20, 60, 130)]
    scene = (255 * np.average(layers, axis=0, weights=[4, 3, 2, 1])).astype(np.uint8)
    return [cv2.getRectSubPix(scene, (WIDTH, HEIGHT), (100 + 2.3 * k, 100 + k)) for k in range(COUNT)]


@pytest.fixture(scope="module")
def flickering(film):
    """Every frame painted by itself, a little differently."""
    rng = np.random.default_rng(1)
    return [np.clip(255 - frame + rng.normal(0, 12, frame.shape), 0, 255).astype(np.uint8) for frame in film]


def errors(film, painted):
    """E_warp of every pair."""
    both = zip(film, film[1:], painted, painted[1:], strict=False)
    return np.array([warp_error(p, q, *motion(a, b)) for a, b, p, q in both])


def test_flicker_becomes_less_and_grows_back_towards_the_borders(film, flickering):
    """Three frames averaged share two with the next three: an ideal average leaves a ninth of the error."""
    ratio = errors(film, smooth(film, flickering, 1)) / errors(film, flickering)
    assert ratio[3:5].max() < 0.25
    assert ratio.max() < 1
    assert min(ratio[0], ratio[-1]) > 2 * ratio[2:6].max()


def test_borders_of_a_batch_are_the_pixels_of_frames_painted_by_themselves(film, flickering):
    """Whatever the neighbouring batch does: the frames on both sides of a border do not know of smoothing."""
    smoothed = smooth(film, flickering, 1)
    for k in (0, -1):
        assert np.array_equal(smoothed[k], flickering[k])
    assert not np.array_equal(smoothed[1], flickering[1])
    for count in (1, 2):
        assert np.array_equal(smooth(film[:count], flickering[:count], 1), flickering[:count])
    change = [np.abs(a.astype(int) - b).mean() for a, b in zip(smoothed, flickering, strict=True)]
    assert 0 < change[1] < change[2]
    assert change[3] == pytest.approx(change[4], rel=0.1), "the full amount, inside"


def test_the_amount_is_continuous(film, flickering):
    assert np.array_equal(smooth(film, flickering, 0), flickering)
    change = [np.abs(np.array(smooth(film, flickering, k), int) - flickering).mean() for k in (0.01, 0.1, 0.5, 1)]
    assert change == sorted(change)
    assert change[0] < 0.1 * change[-1]


def test_what_does_not_flicker_keeps_its_detail(film):
    smoothed = smooth(film, film, 1)
    for before, after in zip(film, smoothed, strict=True):
        assert psnr(before, after) > 36
        assert 0.85 < detail(before, after) < 1.1


def test_scenes_are_not_mixed_at_a_cut(film):
    other = [255 - frame[::-1, ::-1] // 3 for frame in film]
    cut = film[:4] + other[4:]
    smoothed = smooth(cut, cut, 1)
    alone = smooth(film[:4], film[:4], 1), smooth(other[4:], other[4:], 1)
    assert psnr(smoothed[3], cut[3]) > 36
    assert psnr(smoothed[4], cut[4]) > 36
    assert psnr(alone[0][3], smoothed[3]) > 36


def test_bad_frames_stay_and_are_no_neighbours(film, flickering):
    bad = BadFrame("none")
    sources, painted = list(film), list(flickering)
    sources[3] = painted[3] = BadFrame("damaged")
    painted[6] = BadFrame("the model failed")
    smoothed = smooth(sources, painted, 1)
    assert (smoothed[3], smoothed[6]) == (BadFrame("damaged"), BadFrame("the model failed"))
    assert np.array_equal(smoothed[7], smooth([*film[:6], bad, *film[7:]], [*painted[:6], bad, *painted[7:]], 1)[7])
    assert not np.array_equal(smoothed[2], smooth(film, flickering, 1)[2])
    assert all(isinstance(each, BadFrame) or each.shape == (HEIGHT, WIDTH, 3) for each in smoothed)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 15), (16, 16), (17, 23), (30, 400)])
def test_frames_of_any_size(size):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(4)]
    smoothed = smooth(frames, frames, 1)
    assert all(each.shape == (*size, 3) and each.dtype == np.uint8 for each in smoothed)
    assert np.array_equal(smooth(frames, frames, 1), smoothed), "the same again"
