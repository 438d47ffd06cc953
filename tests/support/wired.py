"""The whole system with a proxy before each backend, and runs that are in flight while a fault lasts."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from azure.servicebus import ServiceBusSubQueue

from framebrush.contracts import QUEUES, BlobRef, Options, RunRequest, State
from framebrush.errors import FramebrushError
from framebrush.messaging import MessageSender, connect
from framebrush.storage import AzureBlobs
from framebrush_cli.local import Home, plan_stack
from support.faults import Backend, Kind
from support.proxy import Proxy
from support.system import System
from support.video import make_video

LIMIT = 120.0
"""Seconds after a fault's end in which every run that was in flight must have ended right."""
SETTINGS = {"FRAMEBRUSH_DEFAULT_MODEL": "identity", "FRAMEBRUSH_SEGMENT_FRAMES": "20", "OMP_NUM_THREADS": "1"}
OPTIONS = Options(model="identity", batch_frames=8, preset="veryfast")
CONNECTIONS: dict[Backend, str] = {
    "broker": "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING",
    "storage": "FRAMEBRUSH_STORAGE_CONNECTION_STRING",
}


@dataclass
class Outcome:
    """How the runs of one kind of fault ended."""

    kind: str
    backend: Backend
    runs: int = 0
    right: int = 0
    """Runs with the bytes of an undisturbed run, within the limit."""
    letters: int = 0
    """Dead letters in all queues."""
    hits: int = 0
    """Connections or requests that the faults have met."""
    slowest: float = 0.0
    """The most seconds between a fault's end and the end of the last of its runs."""
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every run ended right, nothing was put aside, and the faults met something."""
        return self.right == self.runs and not self.letters and self.hits > 0


class Wired:
    """Azurite, the broker and the four services; the services reach the backends through proxies."""

    def __init__(self, system: System, proxies: dict[Backend, Proxy], source: bytes) -> None:
        self.system, self._proxies, self._source = system, proxies, source
        self._settings, self._runs = system.settings, system.runs
        self._store = AzureBlobs(self._settings)
        [self._undisturbed] = self._finished(self._submit("undisturbed", 1), time.monotonic() + LIMIT).values()

    def episode(self, kind: Kind, seed: int, runs: int, outcome: Outcome) -> None:
        """Begin runs, disturb them once at a seeded moment for a seeded time, and count how they end."""
        random = Random(f"{seed}/{kind.backend}/{kind.name}")
        name = f"{kind.backend}-{''.join(c if c.isalnum() else '-' for c in kind.name.lower())[:24]}-{seed}"
        ids = self._submit(name, runs)
        time.sleep(random.uniform(0.1, 0.5 * runs))  # a run takes a second or more
        fault = self._proxies[kind.backend].disturb(lambda: kind.make(random))
        try:
            time.sleep(random.uniform(*kind.seconds))
        finally:
            self._proxies[kind.backend].heal()
        healed = time.monotonic()
        found = self._finished(ids, healed + LIMIT)
        outcome.slowest = max(outcome.slowest, time.monotonic() - healed)
        outcome.runs += runs
        outcome.hits += fault.hits
        for run_id in ids:
            if run_id not in found:
                outcome.problems.append(f"{run_id}: {self._state(run_id)} {LIMIT:g} s after the fault's end")
            elif found[run_id] != self._undisturbed:
                outcome.problems.append(f"{run_id}: other bytes")
            else:
                outcome.right += 1

    def letters(self) -> int:
        """Count the dead letters in all queues."""
        count = 0
        with connect(self._settings) as client, ExitStack() as stack:
            for queue in QUEUES:
                receiver = client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
                count += len(stack.enter_context(receiver).peek_messages(100, sequence_number=1))
        return count

    def _submit(self, name: str, count: int) -> list[str]:
        ids = [f"{name}-{number}" for number in range(count)]
        with connect(self._settings) as client, MessageSender(client) as sender:
            for run_id in ids:
                blob = BlobRef(container=self._settings.input_container, name=f"{run_id}.mp4")
                self._store.write(blob, self._source)
                sender.send(RunRequest(run_id=run_id, input=blob, options=OPTIONS))
        return ids

    def _finished(self, ids: list[str], until: float) -> dict[str, list[bytes]]:
        """Wait for runs to succeed; their outputs."""
        found: dict[str, list[bytes]] = {}
        while len(found) < len(ids) and time.monotonic() < until:
            for run_id in set(ids) - set(found):
                if self._state(run_id) is State.SUCCEEDED:
                    outputs = self._runs.status(run_id).outputs
                    found[run_id] = [self._store.read(output) for output in outputs]
            time.sleep(0.2)
        return found

    def _state(self, run_id: str) -> State | None:
        try:
            return self._runs.status(run_id).state
        except FramebrushError:
            return None


@contextmanager
def wired(folder: Path) -> Iterator[Wired]:
    """Start everything, and end it.

    Raises:
        CommandFailed: a part is not installed.
    """
    home = Home(folder)
    home.azurite.mkdir(parents=True)
    stack = plan_stack(home, scorers=1)
    proxies: dict[Backend, Proxy] = {
        "broker": Proxy(_port(stack.environment[CONNECTIONS["broker"]])),
        "storage": Proxy(_port(stack.environment[CONNECTIONS["storage"]]), http=True),
    }
    proxied = {
        name: stack.environment[name].replace(f":{proxies[backend].backend_port}", f":{proxies[backend].port}")
        for backend, name in CONNECTIONS.items()
    }
    parts = {
        part.name: part
        if part.kind == "backend"
        else part.model_copy(update={"environment": part.environment | proxied | SETTINGS})
        for part in stack.parts
    }
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    system = System(parts, foreign | stack.environment, home.path)
    source = make_video(folder / "source.mp4", pts=tuple(range(0, 40 * 512, 512))).read_bytes()
    with ExitStack() as cleanup:
        for proxy in proxies.values():
            proxy.start()
            cleanup.callback(proxy.stop)
        cleanup.callback(system.end)
        system.start_all(LIMIT)
        yield Wired(system, proxies, source)


def _port(connection_string: str) -> int:
    """Find the port in a connection string of a local backend."""
    return int(connection_string.partition("127.0.0.1:")[2].partition(";")[0].partition("/")[0])
