"""The process in which a caller's media is opened: ``python -m framebrush.sandbox.child FD FD BYTES [MODULE...]``.

The other end of the two pipes is :mod:`framebrush.sandbox.host`, which says what such a process is for.
"""

import importlib
import json
import os
import pickle
import struct
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection

from framebrush.errors import LimitExceeded, PermanentError
from framebrush.sandbox.limits import confine
from framebrush.sandbox.protocol import ALIVE, DONE, FAILED, ITEM, MAX_READ, READ, REFUSED, REQUEST
from framebrush.service import trim
from framebrush.storage import SeekableFile

NO_MEMORY = -4
"""OpenCV's error code for a lack of memory."""


class Line:
    """The two pipes to the service."""

    def __init__(self, listen: int, tell: int) -> None:
        self.listen = Connection(listen, writable=False).recv_bytes
        self.tell = Connection(tell, readable=False).send_bytes


class SandboxedFile(SeekableFile):
    """The caller's file as the sandbox sees it: the service reads it on request. It is read-only and seekable."""

    def __init__(self, line: "Line", name: str, size: int) -> None:
        super().__init__(name, size)
        self._line = line

    def alive(self) -> None:
        """Tell the service that work goes on, although it gets no item."""
        self._line.tell(ALIVE)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it. Return the number of bytes, which is 0 at the end of the file."""
        if self._position >= self._size:
            return 0
        self._line.tell(READ + struct.pack(REQUEST, self._position, min(len(buffer), MAX_READ)))
        data = self._line.listen()
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def verdict(error: Exception, memory: int) -> bytes:
    """Return the message to the service about an exception."""
    if isinstance(error, PermanentError):
        return REFUSED + _reason(error)
    if isinstance(error, MemoryError) or getattr(error, "code", None) == NO_MEMORY:
        return FAILED + _reason(
            LimitExceeded.of("the input takes more memory", f"{memory // 10**6} MB", "DECODER_MEMORY")
        )
    return FAILED + json.dumps({"reason": None, "text": "".join(traceback.format_exception(error))[-4000:]}).encode()


def _reason(error: PermanentError) -> bytes:
    return json.dumps({"reason": error.reason, "text": str(error)}).encode()


def serve(line: Line, memory: int) -> None:
    """Work until the service hangs up."""
    line.tell(ALIVE)
    while True:
        name, size, task, arguments, options = pickle.loads(line.listen())  # noqa: S301 - from the service
        try:
            items: Iterable[bytes] = task(SandboxedFile(line, name, size), *arguments, **options)
            for item in items:
                line.tell(ITEM + item)
        except Exception as error:  # noqa: BLE001 - the service decides what becomes of it
            line.tell(verdict(error, memory))
        else:
            line.tell(DONE)
        trim()


if __name__ == "__main__":
    limit = int(sys.argv[3])
    confine(limit)
    for module in sys.argv[4:]:
        importlib.import_module(module)
    with suppress(EOFError, ConnectionError):
        serve(Line(int(sys.argv[1]), int(sys.argv[2])), limit)
    os._exit(0)  # Threads of decoders may be in any state.
