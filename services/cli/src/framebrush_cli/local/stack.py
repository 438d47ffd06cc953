"""The local stack as a file, ``.framebrush/stack.json``: its parts, their addresses, and how clients reach them."""

import fcntl
import http.client
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from framebrush.contracts import Document, Model
from framebrush.errors import InvalidMessage
from framebrush_cli.errors import CommandFailed

DEFAULT = Path(".framebrush")
STATE = "stack.json"


class Part(Model):
    """One child process of the supervisor."""

    name: str
    kind: Literal["backend", "service"]
    """The kind of the part. Backends are ready before services start, and end after them."""
    command: tuple[str, ...]
    environment: dict[str, str] = Field(default_factory=dict)
    """The environment variables of the part, in addition to the supervisor's."""
    probe: str
    """An http URL. The part is ready when it answers, and not with 503."""
    pid: int | None = None
    starts: int = 0


class Stack(Document):
    """The parts, and the settings with which a client reaches them."""

    environment: dict[str, str]
    """The ``FRAMEBRUSH_*`` variables by which clients reach the stack."""
    parts: tuple[Part, ...]


class Home:
    """The folder of a stack, with its state, its logs and its data."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.state, self.logs = self.path / STATE, self.path / "logs"
        self.azurite, self.broker = self.path / "azurite", self.path / "broker.db"
        self.lock, self.supervisor_lock = self.path / "stack.lock", self.path / "supervisor.lock"

    @classmethod
    def find(cls) -> "Home | None":
        """Return the home of the stack in the current folder or in the nearest folder above; None if there is none."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / DEFAULT / STATE).is_file():
                return cls(folder / DEFAULT)
        return None

    def log(self, name: str) -> Path:
        """Return the log file of a part, or of the supervisor."""
        return self.logs / f"{name}.log"

    def read(self) -> Stack:
        """Return the stack as it was last written.

        Raises:
            CommandFailed: There is no stack here.
        """
        try:
            return Stack.decode(self.state.read_bytes())
        except FileNotFoundError:
            raise CommandFailed(f"no stack in {self.path}: run `framebrush up`") from None
        except InvalidMessage as error:
            anew = "another version has written it: `framebrush down && framebrush up`"
            raise CommandFailed(f"{self.state} cannot be read, {anew} ({error})") from None

    def write(self, stack: Stack) -> None:
        """Replace the file in one step. Only its owner can read it, since it has connection strings."""
        draft = self.state.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(stack.model_dump_json(indent=2) + "\n")
        draft.replace(self.state)

    def running(self) -> bool:
        """Return whether any process of the stack lives: each of them has inherited the lock."""
        return _held(self.lock)

    def supervised(self) -> bool:
        """Return whether the supervisor lives."""
        return _held(self.supervisor_lock)

    def group(self) -> int | None:
        """Return the process group of supervisor and parts; None before it is known. It is valid while they run."""
        text = self.lock.read_text() if self.lock.exists() else ""
        return int(text) if text.isdecimal() else None


def acquire(path: Path) -> int:
    """Take a lock, and return the file descriptor that holds it. Processes that inherit the descriptor hold it, too.

    Raises:
        BlockingIOError: Another process has the lock.
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
    except (FileNotFoundError, NotADirectoryError):  # There is no such folder.
        return False
    return False


def probe(url: str, timeout: float = 2.0) -> str | None:
    """Return what keeps a part from being ready; None if it is ready."""
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
