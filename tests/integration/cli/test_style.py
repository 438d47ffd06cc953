"""A video in one command, with a stack that is started for it."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from support.video import facts, make_video, painting, picture

import framebrush
from framebrush.errors import FramebrushError
from framebrush_cli.commands import film
from framebrush_cli.commands.stack import start_stack, stop
from framebrush_cli.local import Home


@pytest.fixture
def style(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    # Variables of another installation are there, and do not count.
    elsewhere = {"FRAMEBRUSH_STORAGE_CONNECTION_STRING": "of another installation"}
    own = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")} | elsewhere

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "framebrush_cli", "style", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.mark.timeout(300)
def test_one_command_does_it_all(tmp_path: Path, style: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    make_video(tmp_path / "film.mp4", pts=range(0, 5 * 512, 512))
    (tmp_path / "picture.png").write_bytes(painting(1))
    done = style("film.mp4", "-o", "painted.mkv", "--style-image", "picture.png")
    assert "painted.mkv" in done.stdout
    assert len(facts(tmp_path / "painted.mkv").times) == 5
    assert not Home(tmp_path / ".framebrush").running()
    assert "exists" in style("film.mp4", "-o", "painted.mkv", code=1).stderr


@pytest.mark.timeout(300)
def test_in_python_with_a_file_for_each_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL", "https://another.blob.core.windows.net")
    monkeypatch.setenv("FRAMEBRUSH_INPUT_CONTAINER", "another")
    told = io.StringIO()
    monkeypatch.setattr(film, "err", Console(file=told, width=1000))
    video = make_video(tmp_path / "film.mp4", pts=range(0, 5 * 512, 512))
    (tmp_path / "picture.png").write_bytes(painting(1))
    home = Home(tmp_path / ".framebrush")
    with monkeypatch.context() as patch:
        patch.delenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL")
        patch.delenv("FRAMEBRUSH_INPUT_CONTAINER")
        start_stack(home, 1)
    try:
        files = framebrush.style(video, style=["mosaic", "ink"], style_image="picture.png", output="styled/", crf=30)
        assert [str(path) for path in files] == [f"styled/film.{name}.mp4" for name in ("picture", "mosaic", "ink")]
        assert all(len(facts(path).times) == 5 for path in files)
        assert len({path.read_bytes() for path in files}) == 3
        assert "succeeded" in told.getvalue()
        # A film whose run failed is tried again, and its run says why.
        video.write_bytes(video.read_bytes()[:3000])
        for _ in range(2):
            with pytest.raises(FramebrushError, match=r"film\.mp4 was not styled: invalid_video: "):
                framebrush.style(video, style="mosaic", output="no.mp4")
        assert len(set(re.findall(r"film-[0-9a-f-]+: failed", told.getvalue()))) == 2, told.getvalue()
        shots = tmp_path / "shots"
        shots.mkdir()
        for number in range(3):
            Image.fromarray(picture(number, 64, 48)).save(shots / f"shot {number}.png")
        made = framebrush.style(shots, style=["identity", "ink"], output="painted/")
        assert [str(path) for path in made] == ["painted/identity", "painted/ink"]
        for number in range(3):
            same, ink = (np.asarray(Image.open(path / f"shot {number}.png")) for path in made)
            assert (same == picture(number, 64, 48)).all(), "nothing is lost on the way"
            assert (ink != same).any()
        [painted] = framebrush.style(shots, style="ink", output="painted.mp4", rate="12.5")
        assert facts(painted).times == tuple(Fraction(number, 1) / Fraction(25, 2) for number in range(3))
        assert home.running(), "a stack that ran before goes on"
    finally:
        stop(home)
