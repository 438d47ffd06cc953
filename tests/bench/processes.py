"""The parts of a local stack, started one by one and measured."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from framebrush_cli.local import Home, Part, Stack, plan_stack, probe


class Process:
    """A part that runs."""

    def __init__(self, part: Part, environment: dict[str, str], log: Path) -> None:
        self.name, self.log = part.name, log
        started = time.perf_counter()
        with log.open("ab") as output:
            variables = {**os.environ, **environment, **part.environment}
            self._process = subprocess.Popen(part.command, stdout=output, stderr=subprocess.STDOUT, env=variables)
        wait_for(lambda: probe(part.probe) is None, f"{part.name} to get ready", 90, step=0.02)
        self.startup = time.perf_counter() - started
        """Seconds from the start of the process until it is ready."""

    def peak_memory(self) -> float:
        """Largest resident set so far, in MB (10^6 bytes); the sum of its own and those of processes it has started."""
        process, total = psutil.Process(self._process.pid), 0
        for each in (process, *process.children(recursive=True)):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{each.pid}/status").read_text())
            assert found is not None
            total += int(found[1]) * 1024
        return total / 1e6

    def end(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._process.wait(60)


class Parts:
    """A stack's parts, none of them running at first."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder)
        self.folder = folder
        home.azurite.mkdir(parents=True)
        self.stack: Stack = plan_stack(home, scorers=1)
        self._parts = {part.name: part for part in self.stack.parts}

    @contextmanager
    def running(self, *names: str) -> Iterator[dict[str, Process]]:
        """Start parts in order, end them in the reverse order."""
        processes = dict[str, Process]()
        try:
            for name in names:
                log = self.folder / f"{name}.log"
                processes[name] = Process(self._parts[name], self.stack.environment, log)
            yield processes
        finally:
            for process in reversed(processes.values()):
                process.end()


def wait_for(condition: Callable[[], bool], what: str, seconds: float, step: float = 0.1) -> None:
    """Poll until the condition holds; a TimeoutError names what did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(step)


def say(text: str) -> None:
    """Progress, for the person who waits."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
