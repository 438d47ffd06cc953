"""A process that works on a caller's media, and the service's end of the pipes to it."""

import fcntl
import os
import pickle
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framebrush.errors import Crashed, FramebrushError, LimitExceeded
from framebrush.sandbox.protocol import (
    ALIVE,
    DONE,
    ENDED,
    FAILED,
    ITEM,
    MAX_READ,
    READ,
    REFUSED,
    REQUEST,
    receive,
    send,
)
from framebrush.sandbox.verdicts import death, nonsense, told
from framebrush.storage import SeekableFile

SLICE = 0.5
"""The seconds after which a waiting thread runs Python code, where an interrupt can be raised in it."""
START, END = 120.0, 10.0
"""The seconds within which a process must start, which takes half a second where a CPU is free, and within which the
process of a task must be gone after its last word, which takes milliseconds."""
F_SETPIPE_SZ, PIPE = 1031, 2**20
"""The command of fcntl(2), and the size of a pipe in bytes that Linux allows every user."""
KEPT = ("HOME", "LANG", "LC_", "LD_", "PATH", "PYTHON", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""What the names of the environment variables begin with that the process gets. Any other may hold a secret."""
VERDICT = 2**20
"""The most bytes of what a process says of its end."""

_spawner = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
"""The thread that starts processes. A process dies with that thread (PR_SET_PDEATHSIG), which lives as long as the
service."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long a process may work without a sign of life. Time in which it waits for the service does not count."""

    seconds: float
    setting: str
    """The name of the setting of this time, without ``FRAMEBRUSH_``."""
    work: str
    """The work that takes this time, in a word for a person."""
    folder: Path | None = None
    """The folder in which the process may read and write files. By default it sees its libraries only."""
    on_alive: Callable[[], None] = lambda: None
    """What is done when the process says that it is alive, in the thread that waits for it."""


class Process:
    """One process. It works for one message at a time."""

    def __init__(self, memory: int, modules: Iterable[str]) -> None:
        self.free, self._ready, self._memory = True, False, memory
        (self._answers, tell), (listen, self._questions) = os.pipe(), os.pipe()
        os.set_blocking(self._questions, False)
        with suppress(OSError):  # A smaller pipe would make the process wait for us, and it would not decode meanwhile.
            fcntl.fcntl(tell, F_SETPIPE_SZ, PIPE)
        try:
            given = map(str, (listen, tell, os.getpid(), memory))
            start = _spawner.submit(
                subprocess.Popen,
                [sys.executable, "-P", "-m", "framebrush.sandbox.child", *given, *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                pass_fds=(listen, tell),
                # Without the last variable NumPy takes memory in proportion to the number of cores.
                env={name: value for name, value in os.environ.items() if name.startswith(KEPT)}
                | {"OPENBLAS_NUM_THREADS": "1"},
            )
            self._process = start.result()
        finally:
            os.close(listen)
            os.close(tell)
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._ended = self._process.stdout.fileno()

    def alive(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process, and that of its task, which dies with it and so closes the pipe."""
        self._process.kill()
        self._process.communicate()
        while os.read(self._answers, PIPE):
            pass
        os.close(self._answers)
        os.close(self._questions)

    def work(self, allowance: Allowance, source: SeekableFile, job: Any) -> Iterator[memoryview]:
        """Hand over a job, and serve it to its end; see :meth:`Sandbox.run`."""
        self.free, name = False, source.name
        if not self._ready:
            if self._receive(START, name) is None:
                raise Crashed(f"{name}: the decoder does not start")
            self._ready = True
        size = source.seek(0, os.SEEK_END)
        self._send(pickle.dumps((name, size, allowance.folder, *job)), START, name)
        left = allowance.seconds
        while True:
            begun = time.monotonic()
            message = self._receive(left, name)
            if message is None:
                found = f"{name}: {allowance.work} took longer"
                raise LimitExceeded.of(found, f"{allowance.seconds:g} s", allowance.setting)
            left -= time.monotonic() - begun
            kind, content = bytes(message[:1]), message[1:]
            if kind == READ:
                offset, length = self._request(content, size, name)
                source.seek(offset)
                self._send(source.read(length) or b"", allowance.seconds, name)
                continue
            left = allowance.seconds
            if kind == ITEM:
                yield content
            elif kind in (DONE, REFUSED, FAILED) and len(content) <= VERDICT:
                self.free = self._has_ended()
                if kind != DONE:
                    raise told(name, bytes(content))
                return
            elif kind == ALIVE:
                allowance.on_alive()
            else:
                raise nonsense(name)

    def _request(self, content: memoryview, size: int, name: str) -> tuple[int, int]:
        """Return the offset and the number of bytes that the process asks for."""
        if len(content) == REQUEST.size:
            offset, length = REQUEST.unpack(content)
            if 0 <= offset <= size and 0 <= length <= MAX_READ:
                return offset, length
        raise nonsense(name)

    def _has_ended(self) -> bool:
        """Return whether the process of the task is gone, and has said no more than it should."""
        try:
            self._wait(time.monotonic() + END, self._ended, select.POLLIN)
        except TimeoutError:
            return False
        return os.read(self._ended, 2) == ENDED and not _is_ready(0, (self._answers, select.POLLIN))

    def _send(self, data: bytes, seconds: float, name: str) -> None:
        end = time.monotonic() + seconds
        try:
            send(self._questions, data, lambda: self._wait(end, self._questions, select.POLLOUT))
        except TimeoutError:
            raise nonsense(name) from None
        except (EOFError, OSError):
            raise self._death(name) from None

    def _receive(self, seconds: float, name: str) -> memoryview | None:
        """Return the next message of the process, None if it does not come within this time."""
        end = time.monotonic() + seconds
        try:
            # No honest process says more at a time than it can have in memory.
            return receive(self._answers, self._memory, lambda: self._wait(end, self._answers, select.POLLIN))
        except TimeoutError:
            return None
        except ValueError:
            raise nonsense(name) from None
        except (EOFError, OSError):
            raise self._death(name) from None

    def _wait(self, end: float, descriptor: int, event: int) -> None:
        """Wait until a pipe is ready.

        Raises:
            TimeoutError: It is not until this moment of the monotonic clock.
            EOFError: The process of the task is gone, and has left nothing to read.
        """
        awaited, found = ((descriptor, event), (self._ended, select.POLLIN)), set[int]()
        while not found:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            found = _is_ready(min(SLICE, left), *awaited)
        if descriptor not in found:
            raise EOFError

    def _death(self, name: str) -> FramebrushError:
        """Return the error that tells why the process has ended."""
        if _is_ready(0, (self._ended, select.POLLIN)) and os.read(self._ended, 1) == ENDED:
            return nonsense(name)  # The process is well. That of the task has ended without a word.
        return death(name, self._process.wait())


def _is_ready(seconds: float, *awaited: tuple[int, int]) -> set[int]:
    """Wait for one of some events of descriptors; return the descriptors that are ready or broken."""
    poll = select.poll()
    for descriptor, event in awaited:
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll(1000 * seconds)}
