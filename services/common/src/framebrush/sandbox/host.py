"""Work on a caller's media in a process of its own, which may crash, hang or eat memory without harm to the service.

The process (:mod:`framebrush.sandbox`) has bounded memory and none of the service's credentials. It reads the file
through the service, and gives back bytes, which the service never unpickles. One process works on one message at a
time. It stays for the next message if it came to an end by itself, and it dies with the service.
"""

import fcntl
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Any, Concatenate, ParamSpec

from framebrush.errors import Crashed, FramebrushError, InvalidVideo, LimitExceeded, permanent
from framebrush.sandbox.child import SandboxedFile
from framebrush.sandbox.limits import default_memory
from framebrush.sandbox.protocol import ALIVE, DONE, FAILED, ITEM, MAX_READ, READ, REFUSED, REQUEST
from framebrush.storage import BlobReader

P = ParamSpec("P")
Task = Callable[Concatenate[SandboxedFile, P], Iterable[bytes]]
"""What is done with a file: a function of a module, whose further arguments can be pickled."""

SLICE = 0.5
"""The seconds after which a waiting thread runs Python code, where an interrupt can be raised in it."""
START = 120.0
"""The seconds within which a process must start. It takes half a second where a CPU is free."""
F_SETPIPE_SZ, PIPE = 1031, 2**20
"""The command of fcntl(2), and the size of a pipe in bytes that Linux allows every user."""
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
"""Signals by which a process ends itself. A file cannot make it send itself a SIGKILL: that comes from outside."""
SECRETS = ("FRAMEBRUSH_", "AZURE_")
"""The prefixes of the environment variables that the process does not get."""

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

    def warm(self) -> None:
        """Start a process that the first message will find ready."""
        self._idle.append(_Process(self._memory, self._modules))

    def close(self) -> None:
        """End the processes that have nothing to do; also done at the end of the program."""
        self._end()

    def run(
        self, allowance: Allowance, source: BlobReader, task: Task[P], *arguments: P.args, **options: P.kwargs
    ) -> Iterator[memoryview]:
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
        self.free, self._ready = True, False
        self._answers, tell = Pipe(duplex=False)
        listen, self._questions = Pipe(duplex=False)
        with suppress(OSError):  # A smaller pipe would make the process wait for us, and it would not decode meanwhile.
            fcntl.fcntl(tell.fileno(), F_SETPIPE_SZ, PIPE)
        with listen, tell:
            ends = [listen.fileno(), tell.fileno()]
            command = [sys.executable, "-P", "-m", "framebrush.sandbox.child", *map(str, ends), str(memory), *modules]
            environment = {name: value for name, value in os.environ.items() if not name.startswith(SECRETS)}
            start = _spawner.submit(
                subprocess.Popen,
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # The service's own standard output has log lines only.
                pass_fds=ends,
                # Without this variable NumPy takes memory in proportion to the number of cores.
                env=environment | {"OPENBLAS_NUM_THREADS": "1"},
            )
            self._process = start.result()

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._answers.close()
        self._questions.close()
        self._process.kill()
        self._process.wait()

    def work(self, allowance: Allowance, source: BlobReader, job: Any) -> Iterator[memoryview]:
        """Hand over a job, and serve it to its end; see :meth:`Sandbox.run`."""
        self.free, name = False, source.name
        if not self._ready:
            if self._receive(START, name) is None:
                raise Crashed(f"{name}: the decoder does not start")
            self._ready = True
        self._send(pickle.dumps((name, source.seek(0, os.SEEK_END), *job)), name)
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
                offset, length = struct.unpack(REQUEST, content)
                source.seek(offset)
                self._send(source.read(min(length, MAX_READ)) or b"", name)
                continue
            left = allowance.seconds
            if kind == ITEM:
                yield content
            elif kind in (DONE, REFUSED, FAILED):
                self.free = kind != FAILED
                if kind != DONE:
                    raise _error(**json.loads(bytes(content)))
                return
            elif kind != ALIVE:
                raise InvalidVideo(f"{name}: the decoder does not make sense")

    def _send(self, data: bytes, name: str) -> None:
        try:
            self._questions.send_bytes(data)
        except OSError:
            raise self._ended(name) from None

    def _receive(self, seconds: float, name: str) -> memoryview | None:
        """Return the next message of the process, None if there is none within this time."""
        end = time.monotonic() + seconds
        try:
            while not self._answers.poll(min(SLICE, max(0.0, end - time.monotonic()))):
                if time.monotonic() >= end:
                    return None
            return memoryview(self._answers.recv_bytes())
        except (EOFError, OSError):  # The latter happens in the middle of a message.
            raise self._ended(name) from None

    def _ended(self, name: str) -> FramebrushError:
        """Return the error that tells why the process has ended."""
        code = self._process.wait()
        if -code in CRASHES:
            return InvalidVideo(f"{name}: the decoder crashed ({signal.Signals(-code).name})")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Crashed(f"{name}: the decoder was killed ({how})")


def _error(reason: str | None, text: str) -> Exception:
    return TaskFailed(text) if reason is None else permanent(reason, text)


def _end(processes: list[_Process]) -> None:
    while processes:
        processes.pop().kill()
