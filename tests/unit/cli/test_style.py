"""What ``framebrush style`` refuses."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framebrush_cli.__main__ import app
from framebrush_cli.errors import CommandFailed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mp4", "-o", "a.mp4"], "no such file"),
        (["film.mp4", "-o", "a.gif"], "must end in"),
        (["film.mp4", "-o", "nowhere/a.mp4"], "no such folder"),
        (["film.mp4", "-o", "film.mp4/"], "film.mp4 is a file, and no folder"),
        (["film.mp4", "-o", "film.mp4/new/"], "film.mp4 is a file, and no folder"),
        (["film.mp4", "-o", "a.mp4", "--style", "stary"], "did you mean starry"),
        (["film.mp4", "-o", "a.mp4", "--style-image", "film.mp4"], "is no picture"),
        (["film.mp4", "-o", "a.mp4", "--style-image", "missing.png"], "no such file"),
        (["film.mp4", "-o", "a.mp4", "--style", "ink", "--style", "ocean"], "unknown model 'ocean'"),
        (["film.mp4", "-o", "a.webm", "--style", "ink"], "webm"),
        (["film.mp4", "-o", "a.mp4", "--run-id", "mine"], "--run-id is an option of `framebrush submit` only"),
    ],
)
def test_mistakes_are_told_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(b"nothing is read of it")
    result = CliRunner().invoke(app, ["style", *arguments])
    assert isinstance(result.exception, CommandFailed)
    assert words in str(result.exception)
    assert not Path(".framebrush").exists()


@pytest.mark.parametrize("name", ["", "new", "new/er"])
def test_a_folder_that_is_closed_is_told(name: str) -> None:
    program = f"""
import os, pathlib
from framebrush_cli.targets import check_folder
if os.geteuid() == 0:  # nothing is closed to root
    os.setuid(65534)
check_folder(pathlib.Path({name!r}))
"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        done = subprocess.run([sys.executable, "-P", "-c", program], cwd=folder, capture_output=True, text=True)
    assert "cannot be written to: Permission denied; -o names another place" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--crf", "good"], "--crf"), (["--stength", "0.5"], "--strength"), (["more"], "unexpected extra argument")],
)
def test_options_of_submit_are_checked_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(b"nothing is read of it")
    result = CliRunner().invoke(app, ["style", "film.mp4", "-o", "a.mp4", *options])
    assert result.exit_code == 2
    assert words in result.output
    assert not Path(".framebrush").exists()
