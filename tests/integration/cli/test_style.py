"""A video in one command, with a stack that is started for it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.video import facts, make_video, painting

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
