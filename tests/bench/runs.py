"""Runs on real parts: stage by stage, and as a whole."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Stage:
    """One service alone."""

    startup: float
    """Seconds until ready."""
    seconds: float
    """From the first item's begin to the last one's end."""
    memory: float
    """Peak, in MB."""


@dataclass(frozen=True)
class Whole:
    """All services together."""

    wall: float
    """Seconds from the trigger to the end of the run."""
    memory: dict[str, float]
    """Peak by service, in MB."""


class Bench:
    """A stack with its backends running."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
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

    def stages(self, video: Path, model: str) -> tuple[int, dict[str, Stage]]:
        """Run one service after the other; the number of frames, and what each stage took.

        Times come from what the stages record; asking often how far they are would slow them down.
        """
        request, found, memory = self.upload(video, model), dict[str, Process](), dict[str, float]()
        run_id, timings = str(request.run_id), dict[str, Timing]()
        with connect(self.settings) as client, MessageSender(client) as sender:
            sender.send(request)
        for name in SERVICES:
            with self.parts.running(name) as processes:
                wait_for(lambda name=name: self._done(name, run_id, timings), f"the {name}", LONG, step=2)  # type: ignore[misc]
                found[name], memory[name] = processes[name], processes[name].peak_memory()
        frames = self.runs.status(run_id).frames
        keys = {"splitter": "split", "scorer": "scored", "stitcher": "encoded"}
        spans = {name: _span(timings[keys[name]]) if name in keys else 0.0 for name in SERVICES}
        return frames, {name: Stage(found[name].startup, spans[name], memory[name]) for name in SERVICES}

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

    def whole(self, video: Path, model: str, repeat: int) -> Iterator[Whole]:
        """Runs of all services together, after their start; one result per run."""
        with (
            self.parts.running(*SERVICES) as processes,
            connect(self.settings) as client,
            MessageSender(client) as sender,
        ):
            sender.open(["triggers"])
            for _ in range(repeat):
                request = self.upload(video, model)
                started = time.perf_counter()
                sender.send(request)
                wait_for(lambda: self._ended(str(request.run_id)), "the run", LONG, step=0.1)  # noqa: B023
                wall = time.perf_counter() - started
                yield Whole(wall, {name: process.peak_memory() for name, process in processes.items()})

    def _ended(self, run_id: str) -> bool:
        status = self.status(run_id)
        return status is not None and status.state.ended


@contextmanager
def bench() -> Iterator[Bench]:
    """A stack in a temporary folder, with Azurite and the broker running."""
    with TemporaryDirectory(prefix="framebrush-bench-") as folder:
        parts = Parts(Path(folder) / "stack")
        with parts.running("azurite", "broker"):
            yield Bench(parts)


def _span(timing: Timing) -> float:
    return (timing.ended - timing.started).total_seconds()
