"""The services of this checkout and of the release before in one installation, with real backends.

``before`` and ``now`` name the releases. Films come out exact, and nothing becomes a dead letter, while both work
side by side, when one takes over what the other has begun, and when it goes back.
"""

import itertools
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from azure.servicebus import ServiceBusSubQueue
from support.released import places, python_path, unpack
from support.system import System
from support.video import facts, frames, make_video

from framebrush.contracts import FLOW, QUEUES, BlobRef, Options, RunRequest, State
from framebrush.messaging import MessageSender, connect
from framebrush.runs import measure
from framebrush.storage import AzureBlobs
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, free_ports, plan_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FRAMES = 36
SERVICES = ("splitter", "dispatcher", "scorer", "stitcher")
OTHER = {"before": "now", "now": "before"}
SETTINGS = {"FRAMEBRUSH_DEFAULT_MODEL": "identity", "FRAMEBRUSH_SEGMENT_FRAMES": "12", "OMP_NUM_THREADS": "1"}
OPTIONS = Options(model="identity", pack_codec="png", lossless=True, batch_frames=4)
LIMIT = 180.0
"""Seconds for anything to happen."""


class Installation:
    """Azurite, the broker and any number of pods of both releases."""

    def __init__(self, system: System, film: Path) -> None:
        self.system, self.film = system, film
        self.numbers = itertools.count()

    def run_only(self, *pods: str) -> None:
        """Start and drain pods so that these are the ones that work, and wait until they are ready."""
        running = {name for name in self.system.processes if name not in ("azurite", "broker")}
        self.system.stop(sorted(running - set(pods)))
        for pod in sorted(set(pods) - running):
            self.system.start(pod)
        for pod in pods:
            self.system.wait(pod, LIMIT)

    def submit(self) -> str:
        """Request a run of the film, and return the run's id."""
        run_id, settings = f"film-{next(self.numbers)}", self.system.settings
        blob = BlobRef(container=settings.input_container, name=f"{run_id}.mp4")
        self.system.runs.store.write(blob, self.film.read_bytes())
        with connect(settings) as client, MessageSender(client) as sender:
            sender.send(RunRequest(run_id=run_id, input=blob, options=OPTIONS))
        return run_id

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait until something has happened, and fail with what the pods have logged if it does not."""
        end = time.monotonic() + LIMIT
        while not happened():
            logs = "\n".join(f"{name}:\n{self.system.log(name)}" for name in self.system.processes)
            assert time.monotonic() < end, f"{what} does not happen\n{logs}"
            time.sleep(0.1)

    def passed(self, run_id: str, stage: str) -> Callable[[], bool]:
        """Return a condition: all frames of a run are past a stage."""
        runs = self.system.runs
        return lambda: (
            (run_id, State.RUNNING) in runs.ids(run_id) and getattr(measure(runs, run_id)[0], stage) == FRAMES
        )

    def check(self, run_id: str) -> None:
        """Wait until a run has ended, and compare every frame, every time and every audio packet with the input's."""
        runs = self.system.runs
        self.wait(f"the end of {run_id}", lambda: any(state and state.ended for _, state in runs.ids(run_id)))
        status = runs.status(run_id)
        assert status.state is State.SUCCEEDED, status.error
        assert status.output is not None
        output = runs.store.read(status.output)
        wanted, found = facts(self.film), facts(output)
        assert (found.times, found.copied) == (wanted.times, wanted.copied)
        assert np.array_equal(frames(output), frames(self.film))

    def messages(self, queue: str, *, dead: bool = False) -> int:
        """Return how many messages a queue holds, at most 100; those that are being handled count."""
        part = ServiceBusSubQueue.DEAD_LETTER if dead else None
        with connect(self.system.settings) as client, client.get_queue_receiver(queue, sub_queue=part) as receiver:
            return len(receiver.peek_messages(100, sequence_number=1))

    def dead_letters(self) -> dict[str, int]:
        """Return the queues that hold dead letters, and how many."""
        return {queue: count for queue in QUEUES if (count := self.messages(queue, dead=True))}

    def completed(self, pod: str) -> bool:
        """Return whether a pod has completed a message since it started."""
        url = self.system.parts[pod].probe.removesuffix("/readyz") + "/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return 'framebrush_messages_total{outcome="completed"' in answer.read().decode()


def pods(release: str, *services: str) -> list[str]:
    """Return the names of a release's pods, of all services if none is named."""
    return [f"{service}-{release}" for service in services or SERVICES]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which the services of the release before run."""
    folder = unpack(tmp_path_factory.mktemp("before"))
    environment = python_path(folder)
    packages = ["framebrush", *(f"framebrush_{service}" for service in SERVICES)]
    found = places(packages, environment)
    assert len(found) == len(packages)
    for package, place in zip(packages, found, strict=True):
        assert place.is_relative_to(folder), f"{package} is not the release before's"
    return environment


@pytest.fixture(scope="module")
def installation(before: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = Home(tmp_path_factory.mktemp("stack"))
    home.azurite.mkdir()
    try:
        stack = plan_stack(home, scorers=1)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    queues = home.path / "queues.json"
    options = {"lock_duration_s": 10, "max_delivery_count": 10, "duplicate_detection_window_s": 600}
    queues.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    parts = {part.name: part for part in stack.parts}
    command = list(parts["broker"].command)
    command[command.index("--queues") + 1] = str(queues)
    parts["broker"] = parts["broker"].model_copy(update={"command": tuple(command)})
    for service, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True):
        part = parts.pop(service)
        parts[f"{service}-now"] = part
        parts[f"{service}-before"] = part.model_copy(
            update={
                "environment": part.environment | before | {"FRAMEBRUSH_HTTP_PORT": str(port)},
                "probe": f"http://127.0.0.1:{port}/readyz",
            }
        )
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    system = System(parts, foreign | stack.environment | SETTINGS, home.path)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    film = make_video(path, pts=range(0, FRAMES * 512, 512), time_base=Fraction(1, 12800))
    with ExitStack() as cleanup:
        cleanup.callback(system.end)
        for name in ("azurite", "broker"):
            system.start(name)
        for name in ("azurite", "broker"):
            system.wait(name)
        settings = system.settings
        AzureBlobs(settings).create_containers(
            [settings.input_container, settings.work_container, settings.output_container]
        )
        yield Installation(system, film)


def test_both_releases_side_by_side(installation: Installation) -> None:
    everyone = pods("before") + pods("now")
    installation.run_only(*everyone)
    for _ in range(10):  # until everyone had something to do
        installation.check(installation.submit())
        idle = [pod for pod in everyone if not installation.completed(pod)]
        if not idle:
            break
    assert idle == []
    assert installation.dead_letters() == {}


@pytest.mark.parametrize("first", OTHER)
def test_one_release_finishes_what_the_other_has_begun(installation: Installation, first: str) -> None:
    """Every queue but that of events holds messages of the first release when the second one takes over.

    Forwards this is an upgrade. Backwards it is a rollback, for which the queue of events must be empty: the release
    before does not know it. The dispatcher empties it, so it is the last one to go.
    """
    installation.run_only(*pods(first, "splitter", "dispatcher", "scorer"))
    scored = installation.submit()
    installation.wait("all frames scored", installation.passed(scored, "scored"))
    installation.run_only(*pods(first, "splitter", "dispatcher"))
    dispatched = installation.submit()
    installation.wait("all frames split", installation.passed(dispatched, "split"))
    installation.wait("all batches handed out", lambda: not any(map(installation.messages, ("frames", "events"))))
    installation.run_only(*pods(first, "splitter"))
    split = installation.submit()
    installation.wait("all frames split", installation.passed(split, "split"))
    installation.run_only()
    requested = installation.submit()
    held = {queue for queue in QUEUES if installation.messages(queue)}
    assert held == {"triggers", "frames", "batches", "scored"}
    installation.run_only(*pods(OTHER[first]))
    for run_id in (scored, dispatched, split, requested):
        installation.check(run_id)
    assert installation.dead_letters() == {}
    assert {queue for queue in FLOW if installation.messages(queue)} == set()
