"""The local stack as a file, ``.framebrush/stack.json``: what runs, where, and how to reach it."""

import fcntl
import http.client
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from framebrush.contracts import Document, Model
from framebrush_cli.errors import CommandFailed

DEFAULT = Path(".framebrush")
STATE = "stack.json"


class Part(Model):
    """One child process of the supervisor."""

    name: str
    kind: Literal["backend", "service"]
    """Backends are ready before services start, and end after them."""
    command: tuple[str, ...]
    environment: dict[str, str] = Field(default_factory=dict)
    """On top of the supervisor's own."""
    probe: str
    """An http URL that answers, and not with 503, when the part is ready."""
    pid: int | None = None
    starts: int = 0


class Stack(Document):
    """The parts, and the settings with which a client reaches them."""

    environment: dict[str, str]
    """``FRAMEBRUSH_*`` variables."""
    parts: tuple[Part, ...]


class Home:
    """The folder of a stack: state, logs, data."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.state, self.logs = self.path / STATE, self.path / "logs"
        self.azurite, self.broker = self.path / "azurite", self.path / "broker.db"
        self.lock, self.supervisor_lock = self.path / "stack.lock", self.path / "supervisor.lock"

    @classmethod
    def find(cls) -> "Home | None":
        """The stack of the current folder or of the nearest one above."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / DEFAULT / STATE).is_file():
                return cls(folder / DEFAULT)
        return None

    def log(self, name: str) -> Path:
        """The log file of a part, or of the supervisor."""
        return self.logs / f"{name}.log"

    def read(self) -> Stack:
        """The stack as it was last written.

        Raises:
            CommandFailed: there is none.
        """
        try:
            return Stack.decode(self.state.read_bytes())
        except FileNotFoundError:
            raise CommandFailed(f"no stack in {self.path}: run `framebrush up`") from None

    def write(self, stack: Stack) -> None:
        """Replace the file in one step; only its owner can read it, since it holds connection strings."""
        draft = self.state.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(stack.model_dump_json(indent=2) + "\n")
        draft.replace(self.state)

    def running(self) -> bool:
        """Whether any process of the stack lives: each of them has inherited the lock."""
        return _held(self.lock)

    def supervised(self) -> bool:
        """Whether the supervisor lives."""
        return _held(self.supervisor_lock)

    def group(self) -> int | None:
        """The process group of supervisor and parts, None before it is known; means nothing unless they are running."""
        text = self.lock.read_text() if self.lock.exists() else ""
        return int(text) if text.isdecimal() else None


def acquire(path: Path) -> int:
    """Take a lock that the returned file descriptor holds, and every process that inherits it, until all are gone.

    Raises:
        BlockingIOError: somebody has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _held(path: Path) -> bool:
    try:
        os.close(acquire(path))
    except BlockingIOError:
        return True
    except FileNotFoundError:  # no such folder
        return False
    return False


def probe(url: str, timeout: float = 2.0) -> str | None:
    """What keeps a part from being ready; None when it is."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout)
    try:
        connection.request("GET", place.path or "/")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer yet: {error}"
    finally:
        connection.close()
    return text if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE else None
