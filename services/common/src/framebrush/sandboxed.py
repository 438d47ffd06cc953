"""The process in which a caller's media is opened: ``python -m framebrush.sandboxed FD FD BYTES [MODULE...]``.

The other end of the two pipes is :mod:`framebrush.sandbox`, which says what for.
"""

import ctypes
import importlib
import json
import os
import pickle
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from framebrush.errors import LimitExceeded, PermanentError
from framebrush.memory import bound_arenas, trim
from framebrush.seekable import SeekableFile

READ, ITEM, ALIVE, DONE, REFUSED, FAILED = b"r", b"i", b"a", b"d", b"x", b"f"
"""First byte of what is said to the service. It answers to READ only, with the bytes. REFUSED comes with what is wrong
with the file, FAILED with what went wrong here."""
REQUEST = "<qq"
"""Of READ: where, and how many bytes."""
MOST = 2**20
"""Bytes that one READ may ask for."""
PR_SET_PDEATHSIG = 1
"""prctl(2)"""
NO_MEMORY = -4
"""OpenCV's error code."""


class Line:
    """To the service."""

    def __init__(self, listen: int, tell: int) -> None:
        self.listen = Connection(listen, writable=False).recv_bytes
        self.tell = Connection(tell, readable=False).send_bytes


class Source(SeekableFile):
    """The caller's file, as the service gives it: read-only and seekable."""

    def __init__(self, line: "Line", name: str, size: int) -> None:
        super().__init__(name, size)
        self._line = line

    def alive(self) -> None:
        """Tell the service that work goes on where it sees no item."""
        self._line.tell(ALIVE)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, or less; nothing at the end. Returns the number of bytes."""
        if self._position >= self._size:
            return 0
        self._line.tell(READ + struct.pack(REQUEST, self._position, min(len(buffer), MOST)))
        data = self._line.listen()
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def confine(memory: int) -> None:
    """Bound what this process can do to others; for Linux.

    Args:
        memory: Bytes of private memory, those of threads' stacks included. Shared libraries do not count, nor does
            address space that malloc reserves without using it, which RLIMIT_AS would count.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):  # for the service, which ends this process when it drains
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # if memory is short after all, rather this process than the service
        Path("/proc/self/oom_score_adj").write_text("1000")
    bound_arenas()


def verdict(error: Exception, memory: int) -> bytes:
    """What to tell of an exception."""
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
            items: Iterable[bytes] = task(Source(line, name, size), *arguments, **options)
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
    os._exit(0)  # threads of decoders may be in any state
