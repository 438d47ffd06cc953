"""Folders of pictures as films."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.video import frames, picture
from typer.testing import CliRunner

from framebrush.errors import FramebrushError
from framebrush_cli.__main__ import app
from framebrush_cli.sources import opened_source, write_pictures

SIZE = (48, 32)


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three pictures, whose names sort by their numbers."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in (1, 2, 10):
        Image.fromarray(picture(number, *SIZE)).save(folder / f"shot {number}.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    return folder


def pixels(folder: Path) -> list[np.ndarray]:  # type: ignore[type-arg]
    with opened_source(str(folder)) as source:
        return frames(Path(source.name))


def test_pictures_become_frames_bit_by_bit_in_the_order_of_their_numbers(shots: Path) -> None:
    with opened_source("shots", "24000/1001") as source:
        assert Path(source.name).name == "shots.mkv"
        assert [path.name for path in source.pictures] == ["shot 1.png", "shot 2.png", "shot 10.png"]
        found = frames(Path(source.name))
        with av.open(source.name) as film:
            assert film.streams.video[0].average_rate == Fraction(24000, 1001)
        content = Path(source.name).read_bytes()
    assert all((one == picture(number, *SIZE)).all() for one, number in zip(found, (1, 2, 10), strict=True))
    assert not Path(source.name).exists()
    with opened_source("shots", "24000/1001") as again:
        assert Path(again.name).read_bytes() == content, "the same pictures are the same film, and the same run"
        assert again.facts == source.facts


def test_a_picture_is_seen_as_people_see_it(shots: Path) -> None:
    upright = picture(1, *SIZE)
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned by 90° clockwise
    Image.fromarray(np.rot90(upright)).save(shots / "a.png", exif=exif)
    Image.fromarray(picture(2, *SIZE)[..., 0].astype(np.uint16) * 257).save(shots / "b.png")  # 16 bits of grey
    clear = np.dstack([upright, np.full(SIZE[::-1], 255, np.uint8)])
    clear[:4, :, 3] = 0
    Image.fromarray(clear).save(shots / "c.tiff")
    Image.fromarray(upright).save(shots / "d.webp", lossless=True)
    turned, grey, on_white, webp, *_ = pixels(shots)
    assert (turned == upright).all()
    assert (grey == picture(2, *SIZE)[..., :1]).all()
    assert (on_white[:4] == 255).all() and (on_white[4:] == upright[4:]).all()
    assert (webp == upright).all()


def refused(folder: Path, words: str) -> None:
    with pytest.raises(FramebrushError, match=words), opened_source(str(folder)):
        pass


def test_what_is_no_film_is_refused_by_name(shots: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(3, 40, 30)).save(shots / "shot 3.png")
    Image.fromarray(picture(3, 20, 30)).save(shots / "shot 4.png")
    refused(shots, r"shot 3\.png has 40x30 pixels, and shot 1\.png has 48x32: the pictures of a film have one size")
    for number in (3, 4):
        (shots / f"shot {number}.png").unlink()
    whole = (shots / "shot 2.png").read_bytes()
    (shots / "shot 2.png").write_bytes(whole[:300])
    refused(shots, r"shot 2\.png is a damaged picture")
    (shots / "shot 2.png").write_bytes(b"hello")
    refused(shots, r"shot 2\.png cannot be read")
    (shots / "shot 2.png").unlink()
    Image.fromarray(picture(1, *SIZE)[..., 0].astype(np.float32)).save(shots / "shot 2.tif")
    refused(shots, r"shot 2\.tif has numbers of 32 bits")
    two = [Image.fromarray(picture(number, *SIZE)) for number in (1, 2)]
    two[0].save(shots / "shot 2.tif", save_all=True, append_images=two[1:])
    refused(shots, r"shot 2\.tif holds several pictures")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "has no pictures")


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "1/0", "2000"])
def test_a_rate_is_a_number(shots: Path, rate: str) -> None:
    with pytest.raises(FramebrushError, match=f"--rate {rate}: expected"), opened_source("shots", rate):
        pass


def test_a_rate_is_for_pictures(shots: Path) -> None:
    with pytest.raises(FramebrushError, match="--rate is the speed of a folder"), opened_source("film.mp4", "25"):
        pass


def test_frames_become_pictures_of_every_kind(shots: Path) -> None:
    with opened_source("shots") as source:
        targets = [Path("out") / name for name in ("a.png", "b.tif", "c.jpg")]
        write_pictures(Path(source.name), targets)
    for target, number in zip(targets, (1, 2, 10), strict=True):
        with Image.open(target) as made:
            error = np.abs(np.asarray(made).astype(int) - picture(number, *SIZE)).max()
        assert error <= (0 if target.suffix != ".jpg" else 12)


def test_a_preview_of_a_folder(shots: Path) -> None:
    result = CliRunner().invoke(app, ["preview", "shots", "--style", "ink"])
    assert result.exit_code == 0, result.exception
    assert Path("shots.preview.png").stat().st_size > 1000


def test_options_of_a_film_do_not_go_with_pictures(shots: Path) -> None:
    result = CliRunner().invoke(app, ["style", "shots", "-o", "out/", "--crf", "20"])
    assert "crf is about the encoding of a film" in str(result.exception)
    Path("out").mkdir()
    Path("out/shot 2.png").touch()
    result = CliRunner().invoke(app, ["style", "shots", "-o", "out"])
    assert "out/shot 2.png exists" in str(result.exception)
    assert not Path(".framebrush").exists()
