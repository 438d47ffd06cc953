"""Folders for temporary files, and what becomes of those of processes that were killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from framebrush_stitcher.scratch import PREFIX, Scratch

HOLDING = """
import sys
from pathlib import Path
from framebrush_stitcher.scratch import Scratch
with Scratch(Path(sys.argv[1])).folder() as folder:
    (folder / "segment").write_bytes(bytes(1000))
    print("held", flush=True)
    sys.stdin.read()
"""


def folders(parent: Path) -> list[Path]:
    return sorted(parent.iterdir())


def test_a_folder_is_empty_and_goes_at_the_end_of_the_block(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    with scratch.folder() as one, scratch.folder() as other:
        assert folders(tmp_path) == sorted([one, other])
        assert list(one.iterdir()) == []
        (one / "file").touch()
    assert folders(tmp_path) == []


def test_a_folder_goes_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Scratch(tmp_path).folder():
        raise KeyboardInterrupt
    assert folders(tmp_path) == []


def test_the_files_of_a_killed_process_go_when_the_next_one_starts(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        left = folders(tmp_path)
        Scratch(tmp_path)
        assert folders(tmp_path) == left  # another process is at work
        process.kill()
        process.wait()
        assert folders(tmp_path) == left
    Scratch(tmp_path)
    assert folders(tmp_path) == []


def test_what_others_have_put_there_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "framebrush-other").mkdir()
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = folders(tmp_path)
    Scratch(tmp_path)
    assert folders(tmp_path) == before
