"""Files that were dropped on the page; they are deleted when it ends."""

import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from uuid import uuid4

from framebrush_cli.errors import CommandFailed

SPARE = 2**30
"""The bytes of the disk that stay free."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that was dropped."""

    key: str
    path: Path
    """Where it is. The last part is the name that the file had on the page."""


class Drops:
    """The files that were dropped, by their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._drops, self._guard = folder, dict[str, Drop](), threading.Lock()

    async def add(self, name: str, content: AsyncIterator[bytes]) -> Drop:
        """Write a file and return it.

        Raises:
            CommandFailed: Its name is none, it is empty, or it does not fit on the disk.
        """
        plain = PurePath(name.replace("\\", "/")).name
        if not plain or plain.startswith(".") or "\0" in plain or len(plain.encode()) > 200:
            raise CommandFailed(f"{name[:80]!r} is no name for a file")
        key = uuid4().hex
        path = self._folder / key / plain
        path.parent.mkdir()
        try:
            with path.open("wb") as file:
                async for part in content:
                    if shutil.disk_usage(self._folder).free < SPARE:
                        raise CommandFailed(f"{plain} does not fit on the disk: {self._folder} has less than 1 GB free")
                    file.write(part)
            if not path.stat().st_size:
                raise CommandFailed(f"{plain} is empty (0 bytes)")
        except BaseException:
            shutil.rmtree(path.parent)
            raise
        with self._guard:
            self._drops[key] = Drop(key, path)
            return self._drops[key]

    def find(self, key: str) -> Drop:
        """Return a file by its key.

        Raises:
            CommandFailed: It is gone.
        """
        try:
            return self._drops[key]
        except KeyError:
            raise CommandFailed("the file is gone, since `framebrush ui` was started anew: drop it again") from None
