"""``framebrush preview`` on real films, with real styles."""

import fcntl
import io
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from support.pipeline import SANDBOX, Pipeline
from support.video import make_video, painting
from typer.testing import CliRunner, Result

from framebrush.contracts import Options, State
from framebrush_cli.__main__ import app
from framebrush_cli.commands import preview as command
from framebrush_cli.preview import Studio, read_stills
from framebrush_cli.sources import LocalFile


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def preview(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["preview", *arguments])


def opened(path: str) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Make a preview; return what --json tells."""

    def tell(*arguments: str) -> dict[str, Any]:
        told = io.StringIO()
        monkeypatch.setattr(command, "out", Console(file=told, width=10_000))
        result = preview(*arguments, "--json")
        assert result.exit_code == 0, result.exception
        return dict(json.loads(told.getvalue()))

    return tell


def test_a_preview_shows_what_a_run_makes(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", size=(96, 64))
    studio = Studio(SANDBOX)
    with LocalFile(film) as source:
        found, stills = read_stills(SANDBOX, source)
    assert (found.frames, len(stills)) == (48, 3)
    assert [round(still.seconds * 25) for still in stills] == [8, 24, 40]
    options = Options(model="wave", strength=0.8, keep_colors=True)
    painted = studio.paint("wave", stills, options)
    assert painted.seconds > 0

    pipeline = Pipeline()
    ref = pipeline.put("film.mp4", film.read_bytes())
    pipeline.submit(
        ref, "film", model="wave", strength=0.8, keep_colors=True, pack_codec="png", codec="ffv1", lossless=True
    )
    pipeline.run()
    status = pipeline.runs.status("film")
    assert status.state is State.SUCCEEDED and status.output
    (tmp_path / "out.mkv").write_bytes(pipeline.store.read(status.output))
    with av.open(str(tmp_path / "out.mkv")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for number, image in zip((8, 24, 40), painted.images, strict=True):
        # A run scores several frames in one pass, which may round another way.
        assert np.abs(frames[number].astype(int) - image).max() <= 1
        assert np.abs(frames[number - 1].astype(int) - image).max() > 1, "each frame looks different"


def test_a_row_for_each_style_and_a_folder_of_all_pictures(
    tmp_path: Path, facts: Callable[..., dict[str, Any]]
) -> None:
    make_video(tmp_path / "film.mp4", size=(64, 32), rotation=90)
    (tmp_path / "like.png").write_bytes(painting(1))
    told = facts("film.mp4", "--style", "ink", "--style", "mosaic", "--style-image", "like.png", "-o", "all/")
    assert (told["width"], told["height"], told["frames"]) == (64, 32, 48)
    assert set(told["seconds_per_frame"]) == {"picture", "ink", "mosaic"}
    rows = ("original", "picture", "ink", "mosaic")
    assert {path.name for path in Path("all").iterdir()} == {
        "sheet.png", *(f"{name}-{number}.png" for name in rows for number in (1, 2, 3)),
    }  # fmt: skip
    pictures = {name: opened(f"all/{name}-2.png") for name in rows}
    assert {picture.size for picture in pictures.values()} == {(32, 64)}, "upright"
    assert len({picture.tobytes() for picture in pictures.values()}) == 4
    sheet = opened("all/sheet.png")
    assert sheet.height > 4 * 480 and sheet.width > 3 * 240

    assert facts("film.mp4", "--style", "ink")["files"] == ["film.preview.png"]
    assert opened("film.preview.png").height < sheet.height
    assert "--force overwrites it" in str(preview("film.mp4", "--style", "ink").exception)
    facts("film.mp4", "--style", "ink", "--force")


@pytest.mark.parametrize("name", ["live.mkv", "one.mp4"])
def test_a_film_without_a_length_or_with_one_keyframe(tmp_path: Path, name: str) -> None:
    film = make_video(tmp_path / "film.mp4", gop=250, audio=None)
    if name == "live.mkv":
        with av.open(str(film)) as source, av.open(name, "w", options={"live": "1"}) as target:
            copy = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    target.mux(packet)
        film = tmp_path / name
    with LocalFile(film) as source:
        found, stills = read_stills(SANDBOX, source)
    assert found.frames == 48
    assert [round(still.seconds * 25) for still in stills] == [8, 24, 40]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mp4"], "no such file"),
        (["text.mp4", "--style", "ink"], "not a readable video"),
        (["empty.mp4", "--style", "ink"], "is empty"),
        (["text.mp4", "--style", "stary"], "unknown model 'stary': did you mean starry?"),
        (["text.mp4", "--style-image", "text.mp4"], "is no picture"),
        (["text.mp4", "--strength", "2"], "strength: "),
        (["text.mp4", "-o", "sheet.jpg"], "must end in .png, or in / for a folder"),
    ],
)
def test_mistakes_are_told(arguments: list[str], words: str) -> None:
    Path("text.mp4").write_bytes(b"this is no film")
    Path("empty.mp4").touch()
    result = preview(*arguments)
    assert words in str(result.exception)
    assert not list(Path().glob("*.png"))


def test_a_terminal_that_can_show_pictures_shows_the_sheet(tmp_path: Path) -> None:
    make_video(tmp_path / "film.mp4")
    shown = _in_terminal([sys.executable, "-m", "framebrush_cli", "preview", "film.mp4", "--style", "ink"])
    assert b"\x1bP" in shown, shown[-2000:]
    assert b"film.preview.png" in shown


def _in_terminal(command: list[str]) -> bytes:
    """Run a command in a terminal that has Sixel, and says so when it is asked; return what it writes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 800, 480))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    written, answered, end = b"", 0, time.monotonic() + 120
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                written += os.read(ours, 65536)
            except OSError:  # The command has ended.
                break
            for _ in range(written.count(b"\x1b[c") - answered):
                os.write(ours, b"\x1b[?62;4c")
                answered += 1
        assert process.wait(10) == 0, written
    finally:
        process.kill()
        os.close(ours)
    return written
