"""The parts of a local stack, started one by one and measured."""

import os
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

import psutil
from prometheus_client.parser import text_string_to_metric_families

from framebrush_cli.local import Home, Part, Stack, plan_stack, probe

SAMPLING = 0.25
"""Seconds between two looks at the memory of a process and its children."""
STORAGE, BUS = "framebrush_blob_requests_total", "framebrush_messages_total"
"""The counters of requests to storage, by operation, and of messages settled."""
BYTES = "framebrush_blob_bytes_total"
"""The counter of bytes read from and written to storage, by direction."""


class Process:
    """A part that runs."""

    def __init__(self, part: Part, environment: dict[str, str], log: Path) -> None:
        self.name, self.log, self._part = part.name, log, part
        started = time.perf_counter()
        with log.open("ab") as output:
            variables = {**os.environ, **environment, **part.environment}
            self._process = subprocess.Popen(part.command, stdout=output, stderr=subprocess.STDOUT, env=variables)
        self._root, self._peak, self._ended = psutil.Process(self._process.pid), 0, threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        wait_for(lambda: probe(part.probe) is None, f"{part.name} to get ready", 90, step=0.02)
        self.startup = time.perf_counter() - started
        """Seconds from the start of the process until it is ready."""

    def peak_memory(self) -> float:
        """The largest memory so far, in MB (10^6 bytes), of the process and all those that it has started.

        It is the largest sum, over all looks at them, of their proportional set sizes (PSS): a page that several
        processes share counts once, as it does for the limit of a container. Where the system shows those to the
        superuser only, it is the sum of resident sets, which is larger.
        """
        self._look()
        return self._peak / 1e6

    def cpu(self) -> float:
        """Seconds of CPU so far, of the process and all those that it has started, in user and kernel mode."""
        total = 0.0
        for each in self._family():
            with suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def counts(self) -> Counter[str]:
        """What the service has counted so far: requests, bytes and messages; nothing of a backend."""
        found = Counter[str]()
        if self._part.kind == "backend":
            return found
        with urllib.request.urlopen(urljoin(self._part.probe, "/metrics"), timeout=10) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == STORAGE:
                    found[f"storage {sample.labels['operation']}"] += int(sample.value)
                elif sample.name == BYTES:
                    found[f"bytes {sample.labels['direction']}"] += int(sample.value)
                elif sample.name == BUS:
                    found["messages"] += int(sample.value)
        return found

    def end(self) -> None:
        """SIGTERM, and wait."""
        self._ended.set()
        self._process.terminate()
        self._process.wait(60)
        self._sampler.join()

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLING):
            self._look()

    def _look(self) -> None:
        total = 0
        for each in self._family():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # It has ended meanwhile.
                try:
                    total += each.memory_full_info().pss
                except psutil.AccessDenied:
                    total += each.memory_info().rss
        self._peak = max(self._peak, total)


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
