"""Work on a caller's media in a process of its own, which may crash, hang or eat memory without harm to the service.

The process (:mod:`framebrush.sandbox`) has bounded memory, and nothing but two pipes and its libraries
(:mod:`framebrush.sandbox.isolation`). It reads the file through the service, and gives back bytes, which the service
never unpickles, and for which it waits no longer than is allowed. There is a process for each task, which ends with it.
It is forked from one that has its libraries loaded, works for one message at a time, and dies with the service.
"""

import fcntl
import json
import logging
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from prometheus_client import Gauge

from framebrush.errors import Crashed, FramebrushError, InvalidVideo, LimitExceeded, Unfit, permanent
from framebrush.sandbox.child import SandboxedFile
from framebrush.sandbox.isolation import MEASURES, conceal, lacking
from framebrush.sandbox.limits import default_memory
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

log = logging.getLogger(__name__)

P = ParamSpec("P")
Task = Callable[Concatenate[SandboxedFile, P], Iterable[bytes]]
"""What is done with a file: a function of a module, whose further arguments can be pickled."""

SLICE = 0.5
"""The seconds after which a waiting thread runs Python code, where an interrupt can be raised in it."""
START, END = 120.0, 10.0
"""The seconds within which a process must start, which takes half a second where a CPU is free, and within which the
process of a task must be gone after its last word, which takes milliseconds."""
F_SETPIPE_SZ, PIPE = 1031, 2**20
"""The command of fcntl(2), and the size of a pipe in bytes that Linux allows every user."""
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
"""Signals by which a process ends itself. A file cannot make it send itself a SIGKILL: that comes from outside."""
KEPT = ("HOME", "LANG", "LC_", "LD_", "PATH", "PYTHON", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""What the names of the environment variables begin with that the process gets. Any other may hold a secret."""
VERDICT = 2**20
"""The most bytes of what a process says of its end."""

_measures = Gauge(
    "framebrush_sandbox_measure",
    "Whether a measure isolates the processes that open callers' media: 1, or 0 if this system lacks it.",
    ["measure"],
)

_spawner = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
"""The thread that starts processes. A process dies with that thread (PR_SET_PDEATHSIG), which lives as long as the
service."""


class TaskFailed(Exception):
    """A task raised an error that it should not raise; the text is its traceback."""


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


class Sandbox:
    """The processes of a service. There are as many as messages are in hand."""

    def __init__(self, memory: int | None = None, *, modules: Iterable[str] = ()) -> None:
        """Set what the processes may take. None is started yet.

        Args:
            memory: The megabytes (10^6 bytes) that a process may take; by default a quarter of what there is.
            modules: The modules that a process imports before its first task.
        """
        self._memory = memory * 10**6 if memory else default_memory()
        self._modules = tuple(modules)
        self._idle = list[_Process]()
        self._end = weakref.finalize(self, _end, self._idle)
        conceal()
        for measure in MEASURES:
            _measures.labels(measure).set(measure not in lacking())
        if lacking():
            log.warning("this system cannot isolate the processes that open media fully: no %s", ", ".join(lacking()))
        else:
            log.info("the processes that open media are isolated", extra={"data": {"measures": MEASURES}})

    def warm(self) -> None:
        """Start a process that the first message will find ready."""
        self._idle.append(_Process(self._memory, self._modules))

    def close(self) -> None:
        """End the processes that have nothing to do; also done at the end of the program."""
        self._end()

    def run(
        self, allowance: Allowance, source: SeekableFile, task: Task[P], *arguments: P.args, **options: P.kwargs
    ) -> Generator[memoryview, None, None]:
        """Run a task on a file, and yield each item that it yields as soon as it comes.

        Args:
            allowance: The time for one item. It starts anew with each item, and when the task says that it is alive.
            source: The file.
            task: The task, which gets a :class:`~framebrush.sandbox.SandboxedFile` and the arguments.
            arguments: The further arguments of the task.
            options: The keyword arguments of the task.

        Raises:
            PermanentError: The task raised it.
            InvalidVideo: The process crashed.
            LimitExceeded: The process took too long, or too much memory.
            Crashed: The process was killed, which need not be the file's fault.
            TaskFailed: The task raised another error.
            Exception: Reading the file raised it.
        """
        process = self._take()
        try:
            yield from process.work(allowance, source, (task, arguments, options))
        finally:
            if process.free:
                self._idle.append(process)
            else:
                process.kill()

    def _take(self) -> "_Process":
        while True:
            try:
                process = self._idle.pop()
            except IndexError:
                return _Process(self._memory, self._modules)
            if process.alive():
                return process
            process.kill()


class _Process:
    """One process, and the service's end of the pipes to it."""

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
                    raise _error(name, bytes(content))
                return
            elif kind != ALIVE:
                raise _nonsense(name)

    def _request(self, content: memoryview, size: int, name: str) -> tuple[int, int]:
        """Return the offset and the number of bytes that the process asks for."""
        if len(content) == REQUEST.size:
            offset, length = REQUEST.unpack(content)
            if 0 <= offset <= size and 0 <= length <= MAX_READ:
                return offset, length
        raise _nonsense(name)

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
            raise _nonsense(name) from None
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
            raise _nonsense(name) from None
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
            return _nonsense(name)  # The process is well. That of the task has ended without a word.
        code = self._process.wait()
        if -code in CRASHES:
            return InvalidVideo(f"{name}: the decoder crashed ({signal.Signals(-code).name})")
        if code == NOT_ISOLATED:
            return Unfit(f"{name}: the decoder cannot be isolated, although this system has what it needs")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Crashed(f"{name}: the decoder was killed ({how})")


def _is_ready(seconds: float, *awaited: tuple[int, int]) -> set[int]:
    """Wait for one of some events of descriptors; return the descriptors that are ready or broken."""
    poll = select.poll()
    for descriptor, event in awaited:
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll(1000 * seconds)}


def _nonsense(name: str) -> InvalidVideo:
    return InvalidVideo(f"{name}: the decoder does not make sense")


def _error(name: str, content: bytes) -> Exception:
    """Return the error that a process tells of."""
    try:
        said = json.loads(content)
        reason, text = said["reason"], str(said["text"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return _nonsense(name)
    return TaskFailed(text) if reason is None else permanent(str(reason), text)


def _end(processes: list[_Process]) -> None:
    while processes:
        processes.pop().kill()
