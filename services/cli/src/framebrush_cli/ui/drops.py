"""What was dropped on the page: files, folders of pictures, and the films that are made of these and of addresses.

All of it is deleted when the page ends.
"""

import shutil
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from uuid import uuid4

from rich.progress import Task

from framebrush_cli.errors import CommandFailed
from framebrush_cli.sources import is_address, opened_source
from framebrush_cli.transfers import amount

SPARE = 2**30
"""The bytes of the disk that stay free."""
PATIENCE = 0.5
"""The seconds after which it is looked whether the page ends."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A file or a folder that was dropped."""

    key: str
    path: Path
    """Where it is. The last part is the name that it had on the page."""


class Drops:
    """What was dropped, by its keys."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._drops, self._closed = folder, dict[str, Drop](), threading.Event()
        self._transfers = dict[str, dict[str, Any]]()

    def close(self) -> None:
        """Give up what is made still, and delete what was made."""
        self._closed.set()

    async def add(self, name: str, content: AsyncIterator[bytes], folder: str | None = None) -> Drop:
        """Write a file, into a folder that was dropped if one is named; return the file, or the folder.

        Raises:
            CommandFailed: Its name is none, it is empty, it does not fit on the disk, or the folder is none.
        """
        into = self.find(folder) if folder else None
        if into and not into.path.is_dir():
            raise CommandFailed(f"{into.path.name} is no folder")
        path = into.path / _plain(name) if into else self._place(name)
        try:
            with path.open("wb") as file:
                async for part in content:
                    if shutil.disk_usage(self._folder).free < SPARE:
                        raise CommandFailed(
                            f"{path.name} does not fit on the disk: {self._folder} has less than 1 GB free"
                        )
                    file.write(part)
            if not path.stat().st_size:
                raise CommandFailed(f"{path.name} is empty (0 bytes)")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return into or self._keep(path)

    def add_folder(self, name: str) -> Drop:
        """Make a folder, into which pictures are dropped then.

        Raises:
            CommandFailed: Its name is none.
        """
        path = self._place(name)
        path.mkdir()
        return self._keep(path)

    def add_film(self, folder: str | None, address: str | None, rate: str | None, ticket: str = "") -> Drop:
        """Make a film of a folder that was dropped, or of an address, as the commands do; see :func:`opened_source`.

        Args:
            folder: The key of the folder.
            address: An address on the web, if there is no folder.
            rate: The pictures per second of a folder.
            ticket: The name under which :meth:`transfers` tells how far a download is, chosen by whoever asks.

        Raises:
            CommandFailed: It cannot be used, or the page ends; the text says why.
            InvalidPicture: A picture cannot be read.
            LimitExceeded: What is on the web is too large, or takes too long.
        """
        if not folder and not is_address(address or ""):
            raise CommandFailed(f"{address or ''!r} is no address: the address of a film begins with https://")
        named, made = str(self.find(folder).path) if folder else str(address), Future[Path]()
        # It may take an hour, and the page shall end at once when it is told to.
        threading.Thread(target=self._hold, args=(named, rate, ticket, made), daemon=True).start()
        while not self._closed.is_set():
            if wait([made], PATIENCE).done:
                return self._keep(made.result())
        raise CommandFailed("the page ends")

    def transfers(self) -> dict[str, dict[str, Any]]:
        """Return how far each download is, by its ticket: as a text, and as a part in 0..1, None if that is unknown."""
        return dict(self._transfers)

    def find(self, key: str) -> Drop:
        """Return a file or a folder by its key.

        Raises:
            CommandFailed: It is gone.
        """
        try:
            return self._drops[key]
        except KeyError:
            raise CommandFailed("the file is gone, since `framebrush ui` was started anew: drop it again") from None

    def _hold(self, named: str, rate: str | None, ticket: str, made: Future[Path]) -> None:
        """Make a film, and keep it until the page ends."""

        def watch(task: Task) -> None:
            part = None if task.total is None else task.completed / max(task.total, 1)
            self._transfers[ticket] = {"told": amount(task), "part": part}

        try:
            with opened_source(named, rate, folder=self._folder, watcher=watch) as source:
                self._transfers.pop(ticket, None)
                made.set_result(Path(source.name))
                self._closed.wait()
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            self._transfers.pop(ticket, None)
            made.set_exception(error)

    def _place(self, name: str) -> Path:
        place = self._folder / uuid4().hex
        plain = _plain(name)
        place.mkdir()
        return place / plain

    def _keep(self, path: Path) -> Drop:
        drop = Drop(uuid4().hex, path)
        self._drops[drop.key] = drop
        return drop


def _plain(name: str) -> str:
    """Return the last part of a name, as that of a file.

    Raises:
        CommandFailed: It is none.
    """
    plain = PurePath(name.replace("\\", "/")).name
    if not plain or plain.startswith(".") or "\0" in plain or len(plain.encode()) > 200:
        raise CommandFailed(f"{name[:80]!r} is no name for a file")
    return plain
