"""The process in which a caller's media is opened: ``python -m framebrush.sandbox.child FD FD PID BYTES [MODULE...]``.

It has loaded what tasks need, and opens nothing itself: it forks for each task, and that process is isolated before it
sees the first byte, and ends with the task. So no task finds anything of another one. The other end of the two pipes is
:mod:`framebrush.sandbox.process`; :mod:`framebrush.sandbox.host` says what such a process is for.
"""

import gc
import importlib
import json
import os
import pickle
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from framebrush.errors import LimitExceeded, PermanentError
from framebrush.sandbox.isolation import die_with, isolate, lacking, libraries
from framebrush.sandbox.limits import confine
from framebrush.sandbox.protocol import (
    ALIVE,
    DONE,
    ENDED,
    FAILED,
    ITEM,
    MAX_READ,
    NOT_ISOLATED,
    READ,
    REFUSED,
    REQUEST,
    receive,
    send,
)
from framebrush.storage import SeekableFile

NO_MEMORY = -4
"""OpenCV's error code for a lack of memory."""
NO_THREAD = "can't start new thread"
"""What Python says if there is no memory for the stack of a thread; the number of threads is not limited."""


class Line:
    """The two pipes to the service."""

    def __init__(self, listen: int, tell: int) -> None:
        self.listen, self.tell = partial(receive, listen, sys.maxsize), partial(send, tell)


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
        self._line.tell(READ + REQUEST.pack(self._position, min(len(buffer), MAX_READ)))
        data = self._line.listen()
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def verdict(error: Exception, memory: int) -> bytes:
    """Return the message to the service about an exception."""
    if isinstance(error, PermanentError):
        return REFUSED + _reason(error)
    if isinstance(error, MemoryError) or getattr(error, "code", None) == NO_MEMORY or str(error) == NO_THREAD:
        return FAILED + _reason(
            LimitExceeded.of("the input takes more memory", f"{memory // 10**6} MB", "DECODER_MEMORY")
        )
    return FAILED + json.dumps({"reason": None, "text": "".join(traceback.format_exception(error))[-4000:]}).encode()


def _reason(error: PermanentError) -> bytes:
    return json.dumps({"reason": error.reason, "text": str(error)}).encode()


def work(line: Line, job: tuple[Any, ...], memory: int) -> None:
    """Do one task, in a process that ends with it."""
    name, size, folder, task, arguments, options = job
    try:
        isolate(folder)
    except (OSError, RuntimeError):
        traceback.print_exc()
        os._exit(NOT_ISOLATED)
    try:
        items: Iterable[bytes] = task(SandboxedFile(line, name, size), *arguments, **options)
        for item in items:
            line.tell(ITEM + item)
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - the service decides what becomes of it
        line.tell(verdict(error, memory))
    else:
        line.tell(DONE)


def serve(line: Line, memory: int) -> None:
    """Have tasks done until the service hangs up."""
    line.tell(ALIVE)
    while True:
        # It comes from the service. What is loaded for it stays loaded for the next.
        job, own = pickle.loads(line.listen()), os.getpid()  # noqa: S301
        task = os.fork()
        if not task:
            code = 1
            try:
                die_with(own)
                with suppress(EOFError, ConnectionError):
                    work(line, job, memory)
                code = 0
            finally:  # Threads of decoders may be in any state.
                os._exit(code)
        end_like(os.waitstatus_to_exitcode(os.waitpid(task, 0)[1]))
        os.write(sys.stdout.fileno(), ENDED)


def end_like(code: int) -> None:
    """End as a task's process did, unless that came to its end: the service learns how from this process."""
    if code < 0:
        os.kill(os.getpid(), -code)
    if code:
        os._exit(code)


if __name__ == "__main__":
    die_with(int(sys.argv[3]))
    limit = int(sys.argv[4])
    confine(limit)
    for module in sys.argv[5:]:
        importlib.import_module(module)
    lacking(), libraries()  # They are found out once for all tasks.
    gc.freeze()  # What is here stays as it is, in memory that all tasks share.
    with suppress(EOFError, ConnectionError):
        serve(Line(int(sys.argv[1]), int(sys.argv[2])), limit)
    os._exit(0)
