"""Folders for the files of one message. They are removed with the message, or at the next start."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framebrush.messaging import defer_interrupts

PREFIX = "framebrush-stitcher-"


class Scratch:
    """Makes folders, and holds a lock on each.

    A lock ends with its process, however that ends. A folder that nobody holds was left by a process that was killed: a
    container that is started again finds its volumes as they were.
    """

    def __init__(self, parent: Path | None = None) -> None:
        """Remove the folders that nobody holds.

        Args:
            parent: The folder in which the folders are; the system's folder for temporary files if None.
        """
        self._parent = parent or Path(tempfile.gettempdir())
        for path in self._parent.glob(f"{PREFIX}*"):
            held = _hold(path)
            if held is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(held)

    @contextmanager
    @defer_interrupts
    def folder(self) -> Iterator[Path]:
        """Make an empty folder, which is removed at the end of the block."""
        held = None
        while held is None:  # A process that starts at this moment may remove it before it is held.
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
            held = _hold(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _hold(path: Path) -> int | None:
    """Lock a folder; return the descriptor that holds the lock, or None if another has it or the folder is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
