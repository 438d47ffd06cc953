"""Mistakes of people: each is told in a line that names the thing and what to do, and none by a traceback."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.video import make_video

KEY = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint="


def told(folder: Path, *arguments: str, **variables: str) -> str:
    """Run a command that fails; return what it says, which is one line."""
    command = [sys.executable, "-P", "-m", "framebrush_cli", *arguments]
    variables = {f"FRAMEBRUSH_{name}": value for name, value in variables.items()}
    done = subprocess.run(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin"} | variables, capture_output=True, text=True, timeout=60
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


def test_a_pipe_is_no_film(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")  # whoever opens it waits for a writer
    make_video(tmp_path / "film.mp4")
    assert told(tmp_path, "verify", "film.mp4", "pipe.mp4") == "error: pipe.mp4 is not a file"


def run(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which ``framebrush`` is the command."""
    line = f'framebrush() {{ "{sys.executable}" -P -m framebrush_cli "$@"; }}; {command}'
    own = {"PATH": "/usr/bin:/bin"} | variables
    return subprocess.run(["bash", "-c", line], cwd=folder, env=own, capture_output=True, text=True, errors="replace")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    done = run(tmp_path, f"framebrush status nix {closed}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no installation")
    assert len(done.stderr.splitlines()) == 1
    assert run(tmp_path, f"framebrush --version {closed}").returncode == 0
    assert run(tmp_path, "framebrush status nix 2>&-").returncode == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_cannot_show_a_name(tmp_path: Path, encoding: str) -> None:
    done = run(
        tmp_path, r"framebrush preview $'\xc3\x9cbung\xff\xe6\x97\xa5.mp4' --style ink", PYTHONIOENCODING=encoding
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.endswith(".mp4: there is no such file")


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "bad\udcff.mp4").write_bytes(b"film")
    done = run(
        tmp_path,
        r"framebrush submit $'bad\xff.mp4' --style ink",
        FRAMEBRUSH_STORAGE_CONNECTION_STRING=f"{KEY}http://127.0.0.1:9/a;",
        FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING="Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b",
    )
    assert done.stderr == "error: bad\\udcff.mp4: the name is not UTF-8: rename the file\n"
    assert done.returncode == 1


def test_no_name(tmp_path: Path) -> None:
    assert told(tmp_path, "preview", "", "--style", "ink") == "error: the name of the film is empty"
    assert told(tmp_path, "style", "", "-o", "out/") == "error: the name of the film is empty"


def test_a_folder_that_is_no_film_is_told_in_one_line(tmp_path: Path) -> None:
    for name, size in (("1.png", 32), ("2.png", 48)):
        Image.new("RGB", (size, size)).save(tmp_path / name)
    assert "2.png has 48x48 pixels" in told(tmp_path, "preview", ".", "--style", "ink")


def test_limits_of_downloads_that_are_none(tmp_path: Path) -> None:
    line = told(tmp_path, "preview", "https://127.0.0.1:9/film.mp4", "--style", "ink", MAX_DOWNLOAD_SIZE="large")
    assert line == (
        "error: FRAMEBRUSH_MAX_DOWNLOAD_SIZE: Input should be a valid integer, unable to parse string as an integer"
    )


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert told(tmp_path, "up", "--data", "x" * 300).endswith(": File name too long")
