"""Work on a caller's media in a process of its own, which may crash, hang or eat memory without harm to the service.

The process (:mod:`framebrush.sandbox`) has bounded memory, and nothing but two pipes and its libraries
(:mod:`framebrush.sandbox.isolation`). It reads the file through the service, and gives back bytes, which the service
never unpickles, and for which it waits no longer than is allowed. There is a process for each task, which ends with it.
It is forked from one that has its libraries loaded, works for one message at a time, and dies with the service.
"""

import logging
import weakref
from collections.abc import Callable, Generator, Iterable
from typing import Concatenate, ParamSpec

from prometheus_client import Gauge

from framebrush.sandbox.child import SandboxedFile
from framebrush.sandbox.isolation import MEASURES, conceal, lacking
from framebrush.sandbox.limits import default_memory
from framebrush.sandbox.process import Allowance, Process
from framebrush.storage import SeekableFile

log = logging.getLogger(__name__)

P = ParamSpec("P")
Task = Callable[Concatenate[SandboxedFile, P], Iterable[bytes]]
"""What is done with a file: a function of a module, whose further arguments can be pickled."""

_measures = Gauge(
    "framebrush_sandbox_measure",
    "Whether a measure isolates the processes that open callers' media: 1, or 0 if this system lacks it.",
    ["measure"],
)


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
        self._idle = list[Process]()
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
        self._idle.append(Process(self._memory, self._modules))

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

    def _take(self) -> Process:
        while True:
            try:
                process = self._idle.pop()
            except IndexError:
                return Process(self._memory, self._modules)
            if process.alive():
                return process
            process.kill()


def _end(processes: list[Process]) -> None:
    while processes:
        processes.pop().kill()
