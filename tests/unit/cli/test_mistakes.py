"""Mistakes of people: each is told in a line that names the thing and what to do, and none by a traceback."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

KEY = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint="


def told(folder: Path, *arguments: str, **variables: str) -> str:
    """Run a command that fails; return what it says, which is one line."""
    command = [sys.executable, "-P", "-m", "framebrush_cli", *arguments]
    variables = {f"FRAMEBRUSH_{name}": value for name, value in variables.items()}
    done = subprocess.run(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin"} | variables, capture_output=True, text=True
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", ["up", "down", "up --foreground"])
def test_a_folder_of_the_stack_that_is_a_file(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    if command == "down":
        done = subprocess.run([sys.executable, "-P", "-m", "framebrush_cli", "down", "--data", "file"], cwd=tmp_path)
        assert done.returncode == 0  # nothing runs there
    else:
        assert told(tmp_path, *command.split(), "--data", "file") == (
            "error: " + str(tmp_path / "file") + " is a file, and no folder: --data names another place"
        )


def test_storage_that_does_not_answer(tmp_path: Path) -> None:
    line = told(tmp_path, "runs", STORAGE_CONNECTION_STRING=f"{KEY}http://127.0.0.1:9/a;", STORAGE_RETRIES="0")
    assert "no connection to 127.0.0.1:9: Connection refused; is the address right" in line


def test_a_connection_string_that_is_none(tmp_path: Path) -> None:
    assert "look at FRAMEBRUSH_STORAGE_CONNECTION_STRING" in told(tmp_path, "runs", STORAGE_CONNECTION_STRING="x")


def test_a_stack_of_another_version(tmp_path: Path) -> None:
    folder = tmp_path / ".framebrush"
    folder.mkdir()
    (folder / "stack.json").write_text('{"parts": 3}')
    with (folder / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a process of the stack holds it
        line = told(tmp_path, "runs")
    assert "another version has written it: `framebrush down && framebrush up`" in line


def test_what_is_no_video(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("Dear all, " * 99)
    assert told(tmp_path, "verify", "a.mp4", "b.mp4") == (
        "error: a.mp4: not a readable video: Invalid data found when processing input"
    )


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert told(tmp_path, "up", "--data", "x" * 300).endswith(": File name too long")
