"""Folders for temporary files, and what becomes of those of processes that were killed."""

import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

from framebrush.errors import LockLost
from framebrush.messaging.interrupts import interrupt_thread
from framebrush_stitcher.scratch import PREFIX, Scratch

INTERRUPTS = 300
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


def test_an_interrupt_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """It may come while a folder is being made or removed."""
    scratch, random, ended = Scratch(tmp_path), Random(0), threading.Event()
    begun, struck = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        while not ended.is_set():
            try:
                begun.release()
                while not ended.is_set():
                    with scratch.folder() as folder:
                        (folder / "segment").touch()
            except LockLost:
                struck.release()

    handler = threading.Thread(target=work, daemon=True)
    handler.start()
    for _ in range(INTERRUPTS):
        assert begun.acquire(timeout=30)
        ended.wait(random.uniform(0, 0.002))
        interrupt_thread(handler.ident or 0, LockLost)
        assert struck.acquire(timeout=30)
    ended.set()
    handler.join(30)
    assert not handler.is_alive()
    assert folders(tmp_path) == []
