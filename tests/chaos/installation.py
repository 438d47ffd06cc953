"""An installation with several pods of each service, each a process; what ends is started again, as Kubernetes does."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import psutil
from chaos.scenario import BEYOND, LOCK, SERVICES
from psutil import Process

from framebrush_cli.local import Home, Part, free_ports, plan_stack, probe

SETTINGS = {
    "FRAMEBRUSH_DEFAULT_MODEL": "identity",
    "FRAMEBRUSH_SEGMENT_FRAMES": "12",
    "FRAMEBRUSH_CHUNK_FRAMES": "16",
    "FRAMEBRUSH_DRAIN_GRACE": "0.3",  # some messages are finished, others are handed back
    "OMP_NUM_THREADS": "1",
}
DRAIN = 20.0
"""Seconds after SIGTERM at which a pod that still runs is killed, as Kubernetes does."""
MARK = "CHAOS_INSTALLATION"
"""An environment variable by which the installation's processes are found, children of children among them."""
IN_PROGRESS = "framebrush_messages_in_progress{"


class Pod:
    """One process, started again whenever it ends. Its temporary folder outlives it, as an emptyDir would."""

    def __init__(self, part: Part, environment: Callable[[], dict[str, str]], folder: Path) -> None:
        self.part, self.name, self.service = part, part.name, part.name.rpartition("-")[0] or part.name
        self.temporary, self.log = folder / "tmp" / part.name, folder / "logs" / f"{part.name}.log"
        self.temporary.mkdir(parents=True)
        self.log.parent.mkdir(exist_ok=True)
        self.exits = list[str]()
        """Ends that nobody asked for, and drains without an end."""
        self.drains = list[str]()
        """Drains that ended with an error: something in hand could be neither finished nor handed back."""
        self._environment, self._guard = environment, threading.RLock()
        self._expected, self._asked, self._slept, self._started, self._running = False, 0.0, False, 0.0, True
        self._said = 0
        self.process: subprocess.Popen[bytes]
        self._start()

    def _start(self) -> None:
        variables = {"TMPDIR": str(self.temporary), "PYTHONFAULTHANDLER": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.part.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment() | self.part.environment | variables,
                start_new_session=True,  # Ctrl-C is for the command, which then ends its pods
            )
        self._expected, self._asked, self._slept, self._started = False, 0.0, False, time.monotonic()

    def begin(self) -> None:
        """Forget what was before this seed."""
        self.exits.clear()
        self.drains.clear()
        self._said = self.log.stat().st_size

    def said(self) -> bytes:
        """What it has logged since the begin of the seed."""
        with self.log.open("rb") as log:
            log.seek(self._said)
            return log.read()

    def tree(self) -> list[Process]:
        """The process and its descendants, none if it has ended."""
        try:
            process = Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """Kill the process, not its children: they have to notice."""
        with self._guard:
            self._expected = True
            self.process.kill()

    def terminate(self) -> None:
        """Ask it to end."""
        with self._guard:
            self._expected, self._asked = True, time.monotonic()
            self.process.terminate()

    def freeze(self) -> list[Process]:
        """Stop all processes of the pod; these are for :func:`thaw`."""
        with self._guard:
            self._slept |= self._expected  # time for the drain passes, in which nothing can be done
            frozen = self.tree()
            _signal(frozen, signal.SIGSTOP)
            return frozen

    def kill_children(self) -> int:
        """Kill the decoders; how many there were."""
        children = self.tree()[1:]
        _signal(children, signal.SIGKILL)
        return len(children)

    def supervise(self) -> None:
        """Start it again if it has ended, at most once in a second; kill it if it does not drain."""
        with self._guard:
            code = self.process.poll()
            if code is None:
                # A drain that was frozen takes longer.
                if self._asked and time.monotonic() > self._asked + DRAIN + LOCK + BEYOND[1]:
                    self.exits.append(f"{self.name} had not drained {DRAIN:g} s after SIGTERM")
                    self.kill()
            elif self._running and time.monotonic() > self._started + 1:
                if not self._expected:
                    self.exits.append(f"{self.name} ended by itself with exit code {code}")
                elif self._asked and not self._slept and code not in (0, -signal.SIGKILL, -signal.SIGTERM):
                    self.drains.append(f"{self.name} drained with exit code {code}")
                self._start()

    def finish(self) -> None:
        """Ask it to end for good."""
        with self._guard:
            self._running = False
            thaw(self.tree())
            self.process.terminate()

    def wait(self) -> None:
        """Wait until it has ended; kill it if it does not."""
        try:
            self.process.wait(DRAIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ready(self) -> bool:
        """Whether it says so."""
        return probe(self.part.probe) is None

    def in_hand(self) -> int | None:
        """How many messages it has in hand; None if it does not answer."""
        try:
            with urlopen(self.part.probe.replace("/readyz", "/metrics"), timeout=2) as answer:
                text: str = answer.read().decode()
        except (OSError, HTTPException):
            return None
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line.startswith(IN_PROGRESS))


class Installation:
    """Azurite, the broker and the pods, each supervised. A context manager that ends them all."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.scratch = folder.resolve(), folder.resolve() / "scratch"
        self.scratch.mkdir()
        self.pods = dict[str, Pod]()
        self.keep = False
        self.mark = uuid.uuid4().hex
        home = Home(self.folder)
        home.azurite.mkdir()
        stack = plan_stack(home, scorers=1)
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
        self.environment = foreign | stack.environment | SETTINGS | {MARK: self.mark}
        self.environment["FRAMEBRUSH_SCRATCH"] = str(self.scratch)
        self.storage = self.environment["FRAMEBRUSH_STORAGE_CONNECTION_STRING"]
        self.servicebus = self.environment["FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING"]
        self._parts = {part.name: part for part in stack.parts}
        self.queues = self._declare_queues()
        self.admin = self._parts["broker"].probe
        self._stop = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def _declare_queues(self) -> tuple[str, ...]:
        """Give the broker the stack's queues with short locks; their names."""
        broker = self._parts["broker"]
        command = list(broker.command)
        place = command.index("--queues") + 1
        queues = json.loads(Path(command[place]).read_text())
        for options in queues["queues"].values():
            options["lock_duration_s"] = LOCK
        command[place] = str(self.folder / "queues.json")
        Path(command[place]).write_text(json.dumps(queues))
        self._parts["broker"] = broker.model_copy(update={"command": tuple(command)})
        return tuple(queues["queues"])

    def start_backends(self) -> None:
        """Start Azurite and the broker, and wait for them."""
        for name in ("azurite", "broker"):
            self.pods[name] = Pod(self._parts[name], self._variables, self.folder)
        self._supervisor.start()
        self.wait_ready(["azurite", "broker"], 60)

    def start_services(self) -> None:
        """Start all pods, and wait for them."""
        names = [(service, number) for service, count in SERVICES.items() for number in range(count)]
        for (service, number), port in zip(names, free_ports(len(names)), strict=True):
            part, name = self._parts[service], f"{service}-{number + 1}"
            changes = {
                "name": name,
                "environment": part.environment | {"FRAMEBRUSH_HTTP_PORT": str(port)},
                "probe": f"http://127.0.0.1:{port}/readyz",
            }
            self.pods[name] = Pod(part.model_copy(update=changes), self._variables, self.folder)
        self.wait_ready(list(self.pods), 180)

    def _variables(self) -> dict[str, str]:
        return self.environment | {"FRAMEBRUSH_KEEP_FRAMES": str(self.keep).lower()}

    def set_keep(self, keep: bool) -> None:
        """Have the services keep the intermediate blobs, or not; all of them clear up after a late step."""
        if keep == self.keep:
            return
        self.keep = keep
        pods = self.services()
        before = [pod.process.pid for pod in pods]
        for pod in pods:
            pod.terminate()
        _await(lambda: not any(pod.process.pid in before for pod in pods), 60, "the services do not restart")
        self.wait_ready([pod.name for pod in pods], 120)

    def begin(self) -> None:
        """Forget what was before this seed."""
        for pod in self.pods.values():
            pod.begin()

    def victims(self, victim: str) -> list[Pod]:
        """The pods of a service, or a backend."""
        return [pod for pod in self.pods.values() if pod.service == victim]

    def services(self) -> list[Pod]:
        """The pods of all services."""
        return [pod for pod in self.pods.values() if pod.service in SERVICES]

    def wait_ready(self, names: Iterable[str], seconds: float) -> None:
        """Wait for pods.

        Raises:
            TimeoutError: one does not get ready.
        """
        for name in names:
            _await(self.pods[name].ready, seconds, f"{name} does not get ready; see {self.pods[name].log}")

    def strays(self) -> list[Process]:
        """Processes that belong to no pod."""
        return strays(self.mark, self.pods.values())

    def _supervise(self) -> None:
        while not self._stop.wait(0.1):
            for pod in list(self.pods.values()):
                pod.supervise()

    def end(self) -> None:
        """End all pods, services first."""
        self._stop.set()
        services = self.services()
        for pods in (services, [pod for pod in self.pods.values() if pod not in services]):
            for pod in pods:
                pod.finish()
            for pod in pods:
                pod.wait()
        _signal(strays(self.mark, ()), signal.SIGKILL)


def strays(mark: str, pods: Iterable[Pod]) -> list[Process]:
    """Processes with this mark in their environment that are neither pods nor descendants of one."""
    known, found = {process.pid for pod in pods for process in pod.tree()}, list[Process]()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in known and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def thaw(frozen: Iterable[Process]) -> None:
    """Let frozen processes go on, those that still are."""
    _signal(frozen, signal.SIGCONT)


def _signal(processes: Iterable[Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def _await(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(0.1)
