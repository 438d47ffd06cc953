"""Runs on real parts: stage by stage, and as a whole."""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from azure.servicebus import ServiceBusReceiver
from processes import Parts, Process, wait_for

from framebrush.contracts import BlobRef, Options, RunRequest, State, Status, Timing
from framebrush.errors import BlobNotFound
from framebrush.messaging import MessageSender, connect
from framebrush.runs import Runs, measure
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.settings import settings_from

SERVICES = ("splitter", "dispatcher", "scorer", "stitcher")
LONG = 3600.0
POLLED = ("storage list", "bytes read")
"""What idle services count, too: the dispatcher looks for active runs."""


@dataclass(frozen=True)
class Stage:
    """One service alone."""

    startup: float
    """Seconds until ready."""
    seconds: float
    """From the first item's begin to the last one's end."""
    cpu: float
    """Seconds of CPU since the start of the service, with the processes that it has started."""
    memory: float
    """Peak, in MB, with the processes that it has started."""


@dataclass(frozen=True)
class Whole:
    """All services together."""

    wall: float
    """Seconds from the trigger to the end of the run."""
    cpu: dict[str, float]
    """Seconds of CPU from the trigger to the end of the run, by part, with the processes that it has started."""
    memory: dict[str, float]
    """Peak so far by service, in MB, with the processes that it has started."""
    frames: int
    counts: dict[str, int]
    """What the services counted: requests to storage by operation, bytes by direction, messages."""


class Bench:
    """A stack with its backends running."""

    def __init__(self, parts: Parts, backends: dict[str, Process]) -> None:
        self.parts, self.backends = parts, backends
        self.settings = settings_from(Settings, parts.stack.environment)
        self.blobs = AzureBlobs(self.settings)
        self.blobs.create_containers(("input", "work", "output"))
        self.runs = Runs(self.blobs, "work")

    def upload(self, video: Path, model: str) -> RunRequest:
        """Store a video; the trigger that starts its run."""
        run_id = f"bench-{uuid.uuid4().hex[:12]}"
        ref = BlobRef(container="input", name=f"{run_id}.mp4")
        with video.open("rb") as file:
            self.blobs.write(ref, file)
        return RunRequest(run_id=run_id, input=ref, options=Options(model=model))

    def status(self, run_id: str) -> Status | None:
        """How a run stands, None before it has begun."""
        try:
            status = self.runs.status(run_id)
        except BlobNotFound:
            return None
        assert status.state not in (State.FAILED, State.CANCELLED), status.error
        return status

    def stages(self, video: Path, model: str, step: float) -> tuple[int, dict[str, Stage]]:
        """Run one service after the other; the number of frames, and what each stage took.

        The dispatcher runs beside the stitcher, too: it tells it which segments are complete. Times come from what the
        stages record; asking often how far they are would slow them down.
        """
        request, found, timings = self.upload(video, model), dict[str, Stage](), dict[str, Timing]()
        run_id = str(request.run_id)
        with connect(self.settings) as client, MessageSender(client) as sender:
            sender.send(request)
        for name in SERVICES:
            beside = ["dispatcher"] if name == "stitcher" else []
            with self.parts.running(*beside, name) as processes:
                wait_for(lambda name=name: self._done(name, run_id, timings), f"the {name}", LONG, step=step)  # type: ignore[misc]
                process = processes[name]
                found[name] = Stage(process.startup, 0.0, process.cpu(), process.peak_memory())
        for name, key in {"splitter": "split", "scorer": "scored", "stitcher": "encoded"}.items():
            found[name] = replace(found[name], seconds=_span(timings[key]))
        return self.runs.status(run_id).frames, found

    def _done(self, name: str, run_id: str, timings: dict[str, Timing]) -> bool:
        status = self.status(run_id)
        if status is None or not status.frames:
            return False
        if name == "stitcher":
            timings.update(status.stages)
            return status.state is State.SUCCEEDED
        if name == "dispatcher":
            return self._waiting("frames") == 0
        progress, measured = measure(self.runs, run_id)
        timings.update(measured)
        return {"splitter": progress.split, "scorer": progress.scored}[name] == status.frames

    def _waiting(self, queue: str) -> int:
        with connect(self.settings) as client:
            receiver: ServiceBusReceiver
            with client.get_queue_receiver(queue) as receiver:
                return len(receiver.peek_messages(1))

    def whole(self, video: Path, models: Iterable[str]) -> Iterator[Whole]:
        """Runs of all services together, one for each model, after their start; one result per run."""
        with (
            self.parts.running(*SERVICES) as processes,
            connect(self.settings) as client,
            MessageSender(client) as sender,
        ):
            sender.open(["triggers"])
            parts = self.backends | processes
            for model in models:
                request = self.upload(video, model)
                run_id = str(request.run_id)
                cpu, counts = {name: part.cpu() for name, part in parts.items()}, _counts(processes)
                started = datetime.now(UTC)
                sender.send(request)
                wait_for(lambda: self._ended(run_id), "the run", LONG, step=0.5)  # noqa: B023
                status = self.runs.status(run_id)
                assert status.ended is not None
                yield Whole(
                    wall=(status.ended - started).total_seconds(),
                    cpu={name: part.cpu() - cpu[name] for name, part in parts.items()},
                    memory={name: process.peak_memory() for name, process in processes.items()},
                    frames=status.frames,
                    counts=dict(self._settled(processes) - counts),
                )

    def _settled(self, processes: dict[str, Process]) -> Counter[str]:
        """What the services have counted once nothing more comes: the last step clears up after the run has ended."""
        before = _counts(processes)
        while True:
            time.sleep(0.5)
            after = _counts(processes)
            if all(after[key] == before[key] for key in after if not key.startswith(POLLED)):
                return after
            before = after

    def _ended(self, run_id: str) -> bool:
        status = self.status(run_id)
        return status is not None and status.state.ended


def _counts(processes: dict[str, Process]) -> Counter[str]:
    return sum((process.counts() for process in processes.values()), Counter[str]())


@contextmanager
def bench() -> Iterator[Bench]:
    """A stack in a temporary folder, with Azurite and the broker running."""
    with TemporaryDirectory(prefix="framebrush-bench-") as folder:
        parts = Parts(Path(folder) / "stack")
        with parts.running("azurite", "broker") as backends:
            yield Bench(parts, backends)


def _span(timing: Timing) -> float:
    return (timing.ended - timing.started).total_seconds()
