import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from framebrush.media import psnr, ssim
from framebrush_scorer.models import load
from framebrush_scorer.motion import motion, warp
from framebrush_scorer.quality import NotComparable, compare, detail, style_strength, warp_error
from framebrush_scorer.quality.__main__ import main

HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def scene():
    """A textured picture, larger than the frames."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.random((n, n, 3)).astype(np.float32), (400, 400)) for n in (6, 20, 60, 130)]
    return (255 * np.average(layers, axis=0, weights=[4, 3, 2, 1])).astype(np.uint8)


def view(scene, x, y):
    """What a camera sees at a place, in pixels with fractions."""
    centre = (x + WIDTH / 2, y + HEIGHT / 2)
    return cv2.getRectSubPix(scene, (WIDTH, HEIGHT), centre)


def flickering(frame, amount, seed):
    """The frame with every third of a pixel lighter or darker by so many levels."""
    noise = np.random.default_rng(seed).choice([-amount, amount], frame.shape)
    return np.clip(frame.astype(float) + noise, 0, 255).astype(np.uint8)


def error(scene, paint):
    """E_warp of a painter on a camera that moves by (2.5, 1)."""
    now, later = view(scene, 100, 100), view(scene, 102.5, 101)
    field, known = motion(now, later)
    assert known.mean() > 0.7
    return warp_error(paint(now, 0), paint(later, 1), field, known)


def blurred(frame, sigma=3):
    return cv2.GaussianBlur(frame, (0, 0), sigma)


def test_motion_is_that_of_the_camera_and_unknown_where_the_view_ends(scene):
    field, known = motion(view(scene, 100, 100), view(scene, 106, 100))
    assert np.abs(np.median(field[known], axis=0) - [-6, 0]).max() < 0.1
    assert not known[:, :5].any()
    assert known[20:-20, 20:-20].mean() > 0.9


def test_what_a_moving_thing_covers_is_unknown(scene):
    now, later = (view(scene, 100, 100).copy() for _ in range(2))
    thing = view(scene, 250, 250)[:40, :40]
    now[30:70, 30:70] = later[30:70, 42:82] = thing
    _, known = motion(now, later)
    assert known[35:65, 35:60].mean() > 0.7, "the thing itself is seen twice"
    assert known[35:65, 71:81].mean() < 0.5, "the background right of it is seen once"


def test_warp_fetches_from_where_pixels_went():
    picture = np.arange(20, dtype=np.float32).reshape(1, 20, 1).repeat(2, 0)
    field = np.zeros((2, 20, 2), np.float32)
    field[..., 0] = 1.5
    assert warp(picture, field).reshape(2, 20)[0, :5].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_a_known_motion_has_nearly_no_error(scene):
    assert error(scene, lambda frame, _: frame) < 1e-4


def test_flicker_raises_the_error_by_its_own_energy(scene):
    """Independent noise of variance v in two frames: 2 v, less what interpolation averages away."""
    still = error(scene, lambda frame, _: frame)
    for amount in (10, 20, 40):
        added = error(scene, lambda frame, seed, a=amount: flickering(frame, a, seed)) - still
        assert 1.2 < added / (amount / 255) ** 2 < 2.2


def test_a_filter_that_moves_with_the_scene_does_not_flicker(scene):
    assert error(scene, lambda frame, _: 255 - frame) < 1e-4


def test_blur_is_exposed(scene):
    """It lowers the error of flickering frames, and with it the detail; a style it is not."""
    frame = view(scene, 100, 100)

    def flicker(frame, seed):
        return flickering(frame, 30, seed)

    assert error(scene, lambda frame, seed: blurred(flicker(frame, seed))) < 0.2 * error(scene, flicker)
    assert detail(frame, blurred(frame)) < 0.2
    painted = load("ink", device="cpu")(frame[None])[0]
    assert style_strength(frame, blurred(frame)) < 0.2 * style_strength(frame, painted)


def test_strength_counts_colours_and_lines_and_grows_with_them(scene):
    frame = view(scene, 100, 100)
    painted = load("ink", device="cpu")(frame[None])[0]
    strengths = [style_strength(frame, cv2.addWeighted(frame, 1 - k, painted, k, 0)) for k in (0, 0.3, 0.6, 1)]
    assert strengths[0] == pytest.approx(0, abs=0.01)
    assert strengths == sorted(strengths)
    assert strengths[3] > 0.1
    assert style_strength(frame, frame[..., ::-1]) > 0.02
    lines = frame.copy()
    lines[::8] = 0
    assert style_strength(frame, lines) > 0.1


def test_psnr_and_ssim(scene):
    frame = view(scene, 100, 100)
    assert psnr(frame, frame) == float("inf")
    assert ssim(frame, frame) == pytest.approx(1)
    black = np.zeros((32, 32, 3), np.uint8)
    assert psnr(black, black + 255) == pytest.approx(0, abs=1e-6)
    assert psnr(black, black + 51) == pytest.approx(13.979, abs=1e-3)
    # Of flat pictures only the lightness counts: (2 ab + c) / (a^2 + b^2 + c).
    assert ssim(black + 51, black + 102) == pytest.approx((2 * 0.2 * 0.4 + 1e-4) / (0.04 + 0.16 + 1e-4), rel=1e-3)
    assert ssim(frame, blurred(frame)) < ssim(frame, blurred(frame, 1)) < 1


def write(path, frames):
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def videos(tmp_path, scene):
    """A camera's film with a cut, and the film with flicker; lossless."""
    views = [view(scene, 100 + 2 * k, 100) for k in range(4)]
    views += [255 - view(scene[::-1], 10, 250 + k) // 2 for k in range(2)]
    styled = [flickering(frame, 25, k) for k, frame in enumerate(views)]
    return write(tmp_path / "film.mkv", views), write(tmp_path / "styled.mkv", styled)


def test_videos_are_compared_and_cuts_do_not_count(videos):
    quality = compare(*videos)
    assert (quality.frames, quality.width, quality.height) == (6, WIDTH, HEIGHT)
    assert len(quality.series.warp_error) == 5
    assert quality.cuts == 1
    assert quality.series.warp_error[3] is None
    assert quality.source_warp_error < 3e-4
    assert quality.warp_error > 10 * quality.source_warp_error


def test_a_video_beside_itself_has_no_style(videos):
    quality = compare(videos[0], videos[0])
    assert (quality.psnr, quality.warp_error) == (100, quality.source_warp_error)
    assert quality.ssim == pytest.approx(1)
    assert quality.style_strength < 0.01


def test_videos_that_do_not_belong_together_are_refused(videos, tmp_path, scene):
    short = write(tmp_path / "short.mkv", [view(scene, 0, 0)] * 3)
    with pytest.raises(NotComparable, match=r"short\.mkv has only 3 frames"):
        compare(videos[0], short)
    with pytest.raises(NotComparable, match=r"more frames than .*short\.mkv, which has 3"):
        compare(short, videos[0])
    small = write(tmp_path / "small.mkv", [view(scene, 0, 0)[:48, :64]] * 6)
    with pytest.raises(NotComparable, match=r"is 128x96, .*small\.mkv is 64x48"):
        compare(videos[0], small)
    (tmp_path / "text.mkv").write_text("no video")
    with pytest.raises(NotComparable, match=r"text\.mkv is no video"):
        compare(tmp_path / "text.mkv", videos[0])


def test_the_command_writes_figures_and_pictures(videos, tmp_path, capsys):
    main([*map(str, videos), "--out", str(tmp_path / "out")])
    printed, kept = json.loads(capsys.readouterr().out), json.loads((tmp_path / "out" / "quality.json").read_text())
    assert len(kept.pop("series")["ssim"]) == 6
    assert printed == kept
    assert cv2.imread(str(tmp_path / "out" / "strip.jpg")).shape == (720, 4 * 480, 3)
    assert cv2.imread(str(tmp_path / "out" / "quality.png")).std() > 1
    with pytest.raises(SystemExit) as left:
        main([str(videos[0]), str(tmp_path / "absent.mp4")])
    assert left.value.code == 2
    assert "absent.mp4: there is no such file" in capsys.readouterr().err


def test_the_command_needs_no_torch():
    code = "import sys; import framebrush_scorer.quality.__main__; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
